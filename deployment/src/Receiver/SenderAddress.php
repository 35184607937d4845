<?php

declare(strict_types=1);

namespace RenderSignal\Receiver;

/** The address in a `From`: what stands in quotation marks or brackets is a name, and no address. */
final class SenderAddress
{
    /** The address; empty when there is none between `<` and `>`, `null` when it cannot be told. */
    public static function of(string $from): ?string
    {
        $plain = (string) preg_replace('/"(?:[^"\\\\]|\\\\.)*"/s', '', $from);
        do {
            // Comments may lie within each other.
            $plain = (string) preg_replace('/\([^()]*\)/', '', $before = $plain);
        } while ($plain !== $before);
        $plain = trim($plain);
        if ($plain === '' || substr_count($plain, '<') > 1 || str_contains($plain, '"')) {
            return null;
        }
        $start = strpos($plain, '<');
        if ($start === false) {
            return $plain;
        }
        $end = strpos($plain, '>', $start);
        return trim(substr($plain, $start + 1, ($end === false ? strlen($plain) : $end) - $start - 1));
    }
}
