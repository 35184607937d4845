<?php

declare(strict_types=1);

namespace RenderSignal\Links;

/** Names of files as others give them. The program's own rules. */
final class FileName
{
    /** What file systems take, in bytes. */
    private const LONGEST = 255;

    /** Longest ending that survives the cut of a name, in bytes with its dot. */
    private const LONGEST_ENDING = 16;

    /** Control characters, and what turns the direction of writing or ends a line unseen. */
    private const HIDDEN = '/[\p{Cc}\x{61c}\x{200e}\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}]/u';

    /**
     * The name without folders and hidden characters, no longer than file systems take and no
     * character cut in two; `null` when nothing is left, or it is no UTF-8.
     */
    public static function sanitise(string $name): ?string
    {
        $parts = preg_split('~[/\\\\]~', $name) ?: [''];
        $clean = preg_replace(self::HIDDEN, '', $parts[count($parts) - 1]);
        if (!is_string($clean)) {
            return null;
        }
        $short = self::shorten(self::trimmed($clean));
        return trim($short, '.') === '' ? null : $short;
    }

    private static function shorten(string $name): string
    {
        if (strlen($name) <= self::LONGEST) {
            return $name;
        }
        $dot = strrpos($name, '.');
        $ending = $dot === false ? '' : substr($name, $dot);
        $ending = strlen($ending) <= self::LONGEST_ENDING ? $ending : '';
        return self::trimmed(self::cut($name, self::LONGEST - strlen($ending))) . $ending;
    }

    /** So many bytes at most, no character cut in two. */
    public static function cut(string $text, int $bytes): string
    {
        $cut = substr($text, 0, $bytes);
        // Bytes 80 to BF continue a character.
        while ($cut !== '' && strlen($cut) < strlen($text) && (ord($text[strlen($cut)]) & 0xc0) === 0x80) {
            $cut = substr($cut, 0, -1);
        }
        return $cut;
    }

    private static function trimmed(string $text): string
    {
        return (string) preg_replace('/^\s+|\s+$/uD', '', $text);
    }
}
