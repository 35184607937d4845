<?php

declare(strict_types=1);

namespace RenderSignal\Shared;

/** What a server has answered. */
final class HttpAnswer
{
    public function __construct(
        public readonly int $status,
        #[\SensitiveParameter] private readonly string $body,
    ) {
    }

    /** The fields of the answer, if it is a JSON object. May hold secrets.
     *
     * @return array<mixed>
     */
    public function fields(): array
    {
        $fields = json_decode($this->body, true);
        return is_array($fields) ? $fields : [];
    }
}
