<?php

declare(strict_types=1);

namespace RenderSignal\Receiver;

use RenderSignal\Shared\Refusal;

/**
 * Whether a request is the program's: Standard Webhooks, `v1`. A request that somebody has
 * recorded is worth nothing after five minutes; before that its `webhook-id` is known.
 */
final class Signature
{
    /** How far the sender's clock may be from ours, either way, in seconds. */
    public const TOLERANCE = 300;

    /** The new secret and the one that it replaces. */
    private const MOST_SECRETS = 2;

    /** No more than a request can have reason to carry. */
    private const MOST_SIGNATURES = 4;

    /** @param list<string> $keys */
    private function __construct(#[\SensitiveParameter] private readonly array $keys)
    {
    }

    /**
     * Reads `WEBHOOK_SECRET` as the program does: one or two secrets, each base64 with or without
     * the prefix `whsec_`.
     *
     * @throws Refusal 500 when it cannot be used; never shows a secret
     */
    public static function load(#[\SensitiveParameter] string $secrets): self
    {
        $list = preg_split('/[\s,]+/', $secrets, -1, PREG_SPLIT_NO_EMPTY) ?: [];
        if ($list === []) {
            throw new Refusal(500, 'WEBHOOK_SECRET is not configured.');
        }
        if (count($list) > self::MOST_SECRETS) {
            throw new Refusal(500, 'WEBHOOK_SECRET holds more than two secrets.');
        }
        $keys = [];
        foreach ($list as $index => $secret) {
            $text = str_starts_with($secret, 'whsec_') ? substr($secret, 6) : $secret;
            $key = base64_decode($text, true);
            if ($key === false || strlen($key) < 24 || strlen($key) > 64) {
                throw new Refusal(500, 'WEBHOOK_SECRET: secret ' . ($index + 1) . ' is not base64 of 24 to 64 bytes.');
            }
            $keys[] = $key;
        }
        return new self($keys);
    }

    /**
     * The `webhook-id` of a request that is signed.
     *
     * @param array<mixed> $server the request, as `$_SERVER` has it
     * @throws Refusal 401 when it is not signed, not lately, or not as it is
     */
    public function verify(array $server, string $body, int $now): string
    {
        $header = static fn (string $name) => is_string($server["HTTP_WEBHOOK_$name"] ?? null) ? $server["HTTP_WEBHOOK_$name"] : '';
        [$id, $timestamp, $signature] = [$header('ID'), $header('TIMESTAMP'), $header('SIGNATURE')];
        if ($id === '' || $timestamp === '' || $signature === '') {
            throw new Refusal(401, 'The request is not signed: webhook-id, webhook-timestamp and webhook-signature are wanted.');
        }
        if (preg_match('/^\d{1,11}$/D', $timestamp) !== 1 || abs($now - (int) $timestamp) > self::TOLERANCE) {
            throw new Refusal(401, 'webhook-timestamp is not within five minutes of now.');
        }
        if (preg_match('/^[\x21-\x7e]{1,1024}$/D', $id) !== 1 || !$this->fits("$id.$timestamp.", $body, $signature)) {
            throw new Refusal(401, 'webhook-signature does not fit the request.');
        }
        return $id;
    }

    /** Takes as long whatever the first difference is. */
    private function fits(string $before, string $body, string $presented): bool
    {
        $fits = false;
        foreach ($this->keys as $key) {
            // In two parts: a copy of a long body would double what is needed of memory.
            $mac = hash_init('sha256', HASH_HMAC, $key);
            hash_update($mac, $before);
            hash_update($mac, $body);
            $ours = 'v1,' . base64_encode(hash_final($mac, true));
            foreach (array_slice(explode(' ', $presented), 0, self::MOST_SIGNATURES) as $theirs) {
                $fits = hash_equals($ours, $theirs) || $fits;
            }
        }
        return $fits;
    }
}
