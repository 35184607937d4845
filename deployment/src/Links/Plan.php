<?php

declare(strict_types=1);

namespace RenderSignal\Links;

/** What is to be done with the file. */
final class Plan
{
    /**
     * @param ?string $text its new content; `null` = it says everything already
     * @param bool $archive it is put into an archive first, as it is
     */
    public function __construct(
        public readonly ?string $text,
        public readonly bool $archive = false,
        public readonly int $added = 0,
    ) {
    }
}
