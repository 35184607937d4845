<?php

declare(strict_types=1);

namespace RenderSignal\Links;

/** The file services that an installation knows without being told. */
final class Providers
{
    public const UNKNOWN = 'unknown';

    /** Which of them a link belongs to, by its host: a look-alike belongs to none. */
    public static function ofLink(string $url): string
    {
        $host = strtolower((string) parse_url($url, PHP_URL_HOST));
        return match (true) {
            in_array($host, ['dropbox.com', 'www.dropbox.com', 'dl.dropboxusercontent.com'], true) => 'dropbox',
            $host === 'fromsmash.com', str_ends_with($host, '.fromsmash.com') => 'fromsmash',
            in_array($host, ['swisstransfer.com', 'www.swisstransfer.com'], true) => 'swisstransfer',
            default => self::UNKNOWN,
        };
    }

    /** A name as it may stand in the list. */
    public static function named(string $name): string
    {
        return preg_match('/^[a-z0-9._-]{1,64}$/D', $name) === 1 ? $name : self::UNKNOWN;
    }
}
