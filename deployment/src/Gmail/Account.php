<?php

declare(strict_types=1);

namespace RenderSignal\Gmail;

use RenderSignal\Shared\Environment;
use RenderSignal\Shared\HttpPost;
use RenderSignal\Shared\Refusal;

/** The Gmail account that mails are sent with, and where its services are. */
final class Account
{
    private const TOKENS = 'https://oauth2.googleapis.com/token';
    private const API = 'https://gmail.googleapis.com';

    private function __construct(
        #[\SensitiveParameter] public readonly string $clientId,
        #[\SensitiveParameter] public readonly string $clientSecret,
        #[\SensitiveParameter] public readonly string $refreshToken,
        public readonly string $from,
        public readonly string $name,
        public readonly string $tokens,
        public readonly string $messages,
    ) {
    }

    /** @throws Refusal 500 when an address of a service is neither https nor on this machine */
    public static function of(Environment $environment): self
    {
        $tokens = $environment->text('GMAIL_TOKEN_URL', self::TOKENS);
        $api = $environment->text('GMAIL_API_URL', self::API);
        foreach (['GMAIL_TOKEN_URL' => $tokens, 'GMAIL_API_URL' => $api] as $name => $url) {
            if (!HttpPost::mayGoTo($url)) {
                throw new Refusal(500, "$name is not https.");
            }
        }
        $from = $environment->text('GMAIL_FROM_EMAIL');
        return new self(
            $environment->text('GMAIL_CLIENT_ID'),
            $environment->text('GMAIL_CLIENT_SECRET'),
            $environment->text('GMAIL_REFRESH_TOKEN'),
            $from,
            $environment->text('GMAIL_FROM_NAME', $from),
            $tokens,
            rtrim($api, '/') . '/gmail/v1/users/me/messages/send',
        );
    }

    /** @return list<string> the variables that are missing */
    public function missing(): array
    {
        $values = [
            'GMAIL_CLIENT_ID' => $this->clientId,
            'GMAIL_CLIENT_SECRET' => $this->clientSecret,
            'GMAIL_REFRESH_TOKEN' => $this->refreshToken,
            'GMAIL_FROM_EMAIL' => $this->from,
        ];
        return array_keys(array_filter($values, static fn ($value) => $value === ''));
    }

    public function isConfigured(): bool
    {
        return $this->missing() === [];
    }

    /** A text of somebody else's without our secrets, in one short line. */
    public function masked(string $text, string ...$further): string
    {
        foreach ([$this->clientSecret, $this->refreshToken, $this->clientId, ...$further] as $secret) {
            $text = $secret === '' ? $text : str_replace($secret, '***', $text);
        }
        // What looks like a token of Google's is one, whoever's it is.
        $text = (string) preg_replace('~\b(?:ya29\.|1//|GOCSPX-)[\w./-]+~', '***', $text);
        $text = preg_replace('/[\s\p{Cc}]+/u', ' ', $text) ?? '';
        return trim(substr($text, 0, 300));
    }

    /** @return array<string, mixed> nothing, when it is shown by mistake */
    public function __debugInfo(): array
    {
        return ['from' => $this->from];
    }
}
