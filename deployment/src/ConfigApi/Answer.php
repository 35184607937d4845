<?php

declare(strict_types=1);

namespace RenderSignal\ConfigApi;

/** The answer to a request that is granted. */
final class Answer
{
    /** @param array<string, string> $headers further headers of the answer */
    public function __construct(
        public readonly string $body,
        public readonly array $headers,
    ) {
    }
}
