<?php

declare(strict_types=1);

namespace RenderSignal\Gmail;

use RenderSignal\Shared\HttpPost;
use RenderSignal\Shared\Trouble;

/**
 * Asks Google for a token and sends mails with it. Nothing that it says or logs holds a secret:
 * of answers only what is named here is passed on.
 */
final class Gmail
{
    private const TOKEN_SECONDS = 15.0;
    private const SEND_SECONDS = 30.0;

    /** @param float $hurry which part of the usual patience there is */
    public function __construct(private readonly Account $account, private readonly float $hurry = 1.0)
    {
    }

    /** A token for the next requests, or why there is none. */
    public function token(): Outcome
    {
        $form = http_build_query([
            'client_id' => $this->account->clientId,
            'client_secret' => $this->account->clientSecret,
            'refresh_token' => $this->account->refreshToken,
            'grant_type' => 'refresh_token',
        ]);
        $headers = ['Content-Type' => 'application/x-www-form-urlencoded', 'Accept' => 'application/json'];
        try {
            $answer = HttpPost::send($this->account->tokens, $headers, $form, self::TOKEN_SECONDS * $this->hurry);
        } catch (Trouble $trouble) {
            return Outcome::failure("Token endpoint unreachable: {$trouble->getMessage()}");
        }
        $fields = $answer->fields();
        $token = $fields['access_token'] ?? null;
        $details = ['http_status' => $answer->status];
        if ($answer->status === 200 && is_string($token) && $token !== '') {
            foreach (['token_type', 'expires_in', 'scope'] as $name) {
                $value = $fields[$name] ?? null;
                if (is_string($value) || is_int($value)) {
                    $details[$name] = is_string($value) ? $this->account->masked($value, $token) : $value;
                }
            }
            return Outcome::success('Access token obtained', $details, $token);
        }
        return $this->refused('Token refused', $details, $fields);
    }

    /** Sends a mail. */
    public function send(Mail $mail): Outcome
    {
        $token = $this->token();
        if (!$token->success) {
            return $token;
        }
        $source = $mail->source($this->account->from, $this->account->name, new \DateTimeImmutable());
        $raw = rtrim(strtr(base64_encode($source), '+/', '-_'), '=');
        $headers = ['Content-Type' => 'application/json', 'Authorization' => 'Bearer ' . $token->token()];
        try {
            $body = (string) json_encode(['raw' => $raw]);
            $answer = HttpPost::send($this->account->messages, $headers, $body, self::SEND_SECONDS * $this->hurry);
        } catch (Trouble $trouble) {
            return Outcome::failure("Gmail unreachable: {$trouble->getMessage()}");
        }
        $fields = $answer->fields();
        $details = ['http_status' => $answer->status];
        if ($answer->status < 200 || $answer->status > 299) {
            return $this->refused('Gmail refused the mail', $details, $fields, $token->token());
        }
        foreach (['id' => 'gmail_message_id', 'threadId' => 'gmail_thread_id'] as $theirs => $ours) {
            if (is_string($fields[$theirs] ?? null)) {
                $details[$ours] = $this->account->masked($fields[$theirs], $token->token());
            }
        }
        return Outcome::success('Mail sent', $details);
    }

    /**
     * @param array<string, mixed> $details
     * @param array<mixed> $fields
     */
    private function refused(string $message, array $details, array $fields, string $token = ''): Outcome
    {
        // The token endpoint says `error` and `error_description`, Gmail an object.
        $error = is_array($fields['error'] ?? null) ? $fields['error'] : $fields;
        $says = ['error' => $error['status'] ?? $error['error'] ?? null, 'error_description' => $error['message'] ?? $error['error_description'] ?? null];
        foreach ($says as $name => $value) {
            if (is_string($value) && $value !== '') {
                $details[$name] = $this->account->masked($value, $token);
            }
        }
        $why = $details['error'] ?? null;
        return Outcome::failure("$message: HTTP {$details['http_status']}" . (is_string($why) ? " $why" : ''), $details);
    }
}
