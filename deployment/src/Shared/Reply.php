<?php

declare(strict_types=1);

namespace RenderSignal\Shared;

/** What a page answers. */
final class Reply
{
    /** @param array<string, string> $headers besides those that every answer has */
    public function __construct(
        public readonly int $status,
        public readonly string $body,
        public readonly array $headers = [],
    ) {
    }

    /** @param array<string, string> $headers */
    public static function json(int $status, mixed $value, array $headers = []): self
    {
        return new self($status, Json::line($value), ['Content-Type' => 'application/json; charset=utf-8'] + $headers);
    }
}
