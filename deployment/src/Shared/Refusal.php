<?php

declare(strict_types=1);

namespace RenderSignal\Shared;

/** A request that is answered with an error. The message is shown to the caller: never a secret. */
final class Refusal extends \RuntimeException
{
    /** @param array<string, string> $headers further headers of the answer */
    public function __construct(
        public readonly int $status,
        string $message,
        public readonly array $headers = [],
    ) {
        parent::__construct($message);
    }
}
