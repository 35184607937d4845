<?php

declare(strict_types=1);

namespace RenderSignal\Receiver;

use RenderSignal\Shared\Refusal;
use RenderSignal\Shared\Reply;

/** The answer to a webhook, in the shape of the reference system. */
final class Result
{
    /**
     * @param list<string> $urls the links that were processed
     * @param list<string> $errors
     * @param ?int $pairs copies that the list names now, if the webhook had any
     */
    public function __construct(
        public readonly bool $success,
        public readonly string $message,
        public readonly array $urls = [],
        public readonly array $errors = [],
        public readonly ?int $pairs = null,
    ) {
    }

    /** @param list<string> $errors */
    public static function failure(string $message, array $errors = []): self
    {
        return new self(false, $message, [], $errors);
    }

    /** @return array<string, mixed> */
    public function fields(): array
    {
        $fields = [
            'success' => $this->success,
            'message' => $this->message,
            'processed_urls' => $this->urls,
            'errors' => $this->errors,
        ];
        return $this->pairs === null ? $fields : [...$fields, 'r2_pairs_logged_count' => $this->pairs];
    }

    public function reply(): Reply
    {
        return Reply::json($this->success ? 200 : 422, $this->fields());
    }

    /** The answer to a request that is not looked at. */
    public static function refused(Refusal $refusal): Reply
    {
        // What a body that is no JSON was always answered.
        $fields = $refusal->status === 400
            ? ['error' => $refusal->getMessage()]
            : self::failure($refusal->getMessage())->fields();
        return Reply::json($refusal->status, $fields, $refusal->headers);
    }
}
