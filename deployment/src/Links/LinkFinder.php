<?php

declare(strict_types=1);

namespace RenderSignal\Links;

/**
 * Links to files in the text of a mail, for webhooks that name none. The program finds more, and
 * sends what it has found: this is what remains for texts without it.
 */
final class LinkFinder
{
    /** Ends a sentence or closes a bracket, and is no part of the address before it. */
    private const PUNCTUATION = '.,;:!?)]}\'';

    /** @return list<string> of every provider, each once */
    public static function all(string $content): array
    {
        $found = [...self::dropbox($content), ...self::fromSmash($content), ...self::swissTransfer($content)];
        return array_values(array_unique($found));
    }

    /** @return list<string> in the form that downloads the file; not each once */
    public static function dropbox(string $content): array
    {
        $links = [];
        foreach (self::matches('~https://www\.dropbox\.com/[^\s"\'<>]+~', $content) as $address) {
            $links[] = self::downloading(rtrim(str_replace('&amp;', '&', $address), self::PUNCTUATION));
        }
        return $links;
    }

    /** @return list<string> */
    public static function fromSmash(string $content): array
    {
        return array_values(array_unique(self::matches('~https?://(?:www\.)?fromsmash\.com/[a-z0-9_-]+~i', $content)));
    }

    /** @return list<string> */
    public static function swissTransfer(string $content): array
    {
        return array_values(array_unique(self::matches('~https?://(?:www\.)?swisstransfer\.com/d/[a-z0-9-]+~i', $content)));
    }

    /** With one `dl=1`, in the place of the first `dl`. */
    private static function downloading(string $address): string
    {
        [$before, $fragment] = explode('#', $address, 2) + [1 => null];
        [$path, $query] = explode('?', $before, 2) + [1 => ''];
        $pairs = [];
        $has = false;
        foreach (array_filter(explode('&', $query), static fn ($pair) => $pair !== '') as $pair) {
            if (preg_match('/^dl(?:=|$)/', $pair) !== 1) {
                $pairs[] = $pair;
            } elseif (!$has) {
                $pairs[] = 'dl=1';
                $has = true;
            }
        }
        $query = implode('&', $has ? $pairs : [...$pairs, 'dl=1']);
        return "$path?$query" . ($fragment === null ? '' : "#$fragment");
    }

    /** @return list<string> */
    private static function matches(string $pattern, string $content): array
    {
        return preg_match_all($pattern, $content, $found) > 0 ? $found[0] : [];
    }
}
