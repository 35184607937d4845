<?php

declare(strict_types=1);

namespace RenderSignal\Links;

use RenderSignal\Shared\Environment;

/** How long the list may get; 0 = any length. */
final class Bounds
{
    public function __construct(public readonly int $maxEntries = 1_000, public readonly int $maxBytes = 5_242_880)
    {
    }

    /** The program's variables; `JSON_LOG_MAX_ENTRIES` is that of the PHP pages before. */
    public static function of(Environment $environment): self
    {
        $entries = $environment->number('JSON_LOG_MAX_ENTRIES', 1_000, 0, 1_000_000);
        return new self(
            $environment->number('R2_LINKS_MAX_ENTRIES', $entries, 0, 1_000_000),
            $environment->number('JSON_LOG_MAX_BYTES', 5_242_880, 0, 1_073_741_824),
        );
    }

    /** How many of so many entries have to make room. */
    public function tooMany(int $entries): int
    {
        return $this->maxEntries === 0 ? 0 : max(0, $entries - $this->maxEntries);
    }

    public function isTooLong(string $text): bool
    {
        return $this->maxBytes > 0 && strlen($text) > $this->maxBytes;
    }
}
