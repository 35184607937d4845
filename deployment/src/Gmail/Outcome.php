<?php

declare(strict_types=1);

namespace RenderSignal\Gmail;

/** What has come of a request to Google. Holds no secret but the token, which is never shown. */
final class Outcome
{
    /** @param array<string, mixed> $details for people and for the file of the check */
    private function __construct(
        public readonly bool $success,
        public readonly string $message,
        public readonly array $details,
        #[\SensitiveParameter] private readonly string $token = '',
    ) {
    }

    /** @param array<string, mixed> $details */
    public static function success(string $message, array $details, #[\SensitiveParameter] string $token = ''): self
    {
        return new self(true, $message, $details, $token);
    }

    /** @param array<string, mixed> $details */
    public static function failure(string $message, array $details = []): self
    {
        return new self(false, $message, $details);
    }

    /** The access token, when one was asked for. */
    public function token(): string
    {
        return $this->token;
    }

    /** @return array{success: bool, message: string, details: array<string, mixed>|\stdClass} */
    public function fields(): array
    {
        $details = $this->details === [] ? new \stdClass() : $this->details;
        return ['success' => $this->success, 'message' => $this->message, 'details' => $details];
    }

    /** @return array<string, mixed> */
    public function __debugInfo(): array
    {
        return ['success' => $this->success, 'message' => $this->message];
    }
}
