<?php

declare(strict_types=1);

namespace RenderSignal\Links;

/** An entry of the list, in one of its two formats. */
final class Entry
{
    /** A longer link is none that the program copies. */
    private const LONGEST_URL = 8_192;

    /** A copy: where a file came from and where it lies. `null` when an address is none. */
    public static function copy(
        string $sourceUrl,
        string $r2Url,
        string $provider,
        ?string $emailId,
        ?string $originalFilename,
        \DateTimeImmutable $at,
    ): ?\stdClass {
        $provider = Providers::named($provider);
        $source = SourceUrl::normalise($sourceUrl, $provider);
        if (!self::isUrl($source) || !self::isUrl($r2Url)) {
            return null;
        }
        $entry = new \stdClass();
        $entry->source_url = $source;
        $entry->r2_url = $r2Url;
        $entry->provider = $provider;
        $entry->created_at = $at->setTimezone(new \DateTimeZone('UTC'))->format('Y-m-d\TH:i:s.uP');
        if ($emailId !== null && preg_match('/^[\x21-\x7e]{1,256}$/D', $emailId) === 1) {
            $entry->email_id = $emailId;
        }
        $name = $originalFilename === null ? null : FileName::sanitise($originalFilename);
        if ($name !== null) {
            $entry->original_filename = $name;
        }
        return $entry;
    }

    /** A link alone. `null` when it is none. */
    public static function legacy(string $url, string $source, \DateTimeImmutable $at): ?\stdClass
    {
        if (!self::isUrl($url)) {
            return null;
        }
        $entry = new \stdClass();
        $entry->url = $url;
        $entry->timestamp = $at->format(\DATE_ATOM);
        $entry->source = $source;
        return $entry;
    }

    /** Whether it is an address that a person can follow; its characters need not be ASCII. */
    public static function isUrl(string $url): bool
    {
        return strlen($url) <= self::LONGEST_URL
            && preg_match('~^https?://[^\s/?#"\'<>\\\\\p{Cc}]+(?:[/?#][^\s"<>\p{Cc}]*)?$~uiD', $url) === 1;
    }
}
