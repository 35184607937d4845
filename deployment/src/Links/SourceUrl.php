<?php

declare(strict_types=1);

namespace RenderSignal\Links;

/**
 * The one form of a link by which its copy is known. The program makes the same one, so a copy
 * that both record is one entry.
 */
final class SourceUrl
{
    /** Layers of entities or percent-encoding around a whole link that are undone. */
    private const LAYERS = 8;

    public static function normalise(string $raw, string $provider): string
    {
        $text = self::trimmed($raw);
        for ($layer = 0; $layer < self::LAYERS; $layer++) {
            $next = self::trimmed(html_entity_decode($text, ENT_QUOTES | ENT_HTML5, 'UTF-8'));
            if ($provider === 'dropbox') {
                $next = self::undoArtefacts($next);
                $next = self::rewrite($next) ?? $next;
            }
            if ($next === $text) {
                break;
            }
            $text = $next;
        }
        return $text;
    }

    /** What half-decoded entities leave behind, and links that are percent-encoded as a whole. */
    private static function undoArtefacts(string $text): string
    {
        $text = str_replace(['amp%3B', 'amp%3b', 'amp;'], '&', $text);
        $decoded = $text;
        for ($layer = 0; $layer < self::LAYERS && !str_contains($decoded, '://'); $layer++) {
            $decoded = rawurldecode($decoded);
            if (preg_match('//u', $decoded) !== 1) {
                return $text;
            }
        }
        return str_contains($decoded, '://') ? $decoded : $text;
    }

    /** `null` when it is no URL with a host. */
    private static function rewrite(string $text): ?string
    {
        if (preg_match('~^([A-Za-z0-9+.-]+)://([^#]*)~s', $text, $found) !== 1) {
            return null;
        }
        [$rest, $query] = explode('?', $found[2], 2) + [1 => ''];
        [$authority, $path] = explode('/', $rest, 2) + [1 => ''];
        $authority = self::authority($authority);
        if ($authority === null) {
            return null;
        }
        $segments = array_filter(explode('/', $path), static fn ($segment) => $segment !== '');
        // Decoded once and encoded again: %2F stays what it is.
        $path = implode('', array_map(static fn ($segment) => '/' . rawurlencode(rawurldecode($segment)), $segments));
        return "https://$authority$path?" . self::query($query);
    }

    /** Host in lower case, without a default port; a user name is kept. */
    private static function authority(string $authority): ?string
    {
        $at = strrpos($authority, '@');
        $user = $at === false ? '' : substr($authority, 0, $at + 1);
        $host = strtolower($at === false ? $authority : substr($authority, $at + 1));
        $host = (string) preg_replace('/(?::443|:80|:)+$/D', '', $host);
        return preg_match('/^(?!:)[\p{L}\p{N}._:\[\]-]+$/uD', $host) === 1 ? $user . $host : null;
    }

    /** Pairs in order of name and value, without empty ones and repeats, with one `dl=1`. */
    private static function query(string $query): string
    {
        $pairs = [['dl', '1']];
        foreach (explode('&', $query) as $pair) {
            [$name, $value] = explode('=', $pair, 2) + [1 => ''];
            $name = self::trimmed(self::formDecoded($name));
            $value = self::trimmed(self::formDecoded($value));
            if ($name !== '' && ($value !== '' || $name === 'rlkey') && strtolower($name) !== 'dl') {
                $pairs["$name\0$value"] ??= [$name, $value];
            }
        }
        $pairs = array_values($pairs);
        // As texts: PHP would compare those that look like numbers as numbers.
        usort($pairs, static fn (array $one, array $other) => strcmp(strtolower($one[0]), strtolower($other[0])) ?: strcmp($one[1], $other[1]));
        return implode('&', array_map(static fn (array $pair) => self::formEncoded($pair[0]) . '=' . self::formEncoded($pair[1]), $pairs));
    }

    private static function formDecoded(string $text): string
    {
        $decoded = urldecode($text);
        // Bytes that are no character are shown as one.
        return preg_match('//u', $decoded) === 1 ? $decoded : (string) json_decode((string) json_encode($decoded, JSON_INVALID_UTF8_SUBSTITUTE));
    }

    /** As Python's quote_plus, which `urlencode` is but for the tilde. */
    private static function formEncoded(string $text): string
    {
        return str_replace('%7E', '~', urlencode($text));
    }

    private static function trimmed(string $text): string
    {
        return preg_replace('/^\s+|\s+$/uD', '', $text) ?? trim($text);
    }
}
