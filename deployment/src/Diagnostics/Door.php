<?php

declare(strict_types=1);

namespace RenderSignal\Diagnostics;

use RenderSignal\Shared\Environment;
use RenderSignal\Shared\Refusal;

/**
 * Lets those see the diagnostics who have the token: programs send it as `Authorization: Bearer`,
 * people type it once and then have a cookie for an hour. It never stands in an address.
 */
final class Door
{
    private const COOKIE = 'rs_diagnostics';
    private const SECONDS = 3_600;
    private const SHORTEST_TOKEN = 24;

    private function __construct(#[\SensitiveParameter] private readonly string $token)
    {
    }

    /** @throws Refusal 500 when there is no token, or one that could be guessed */
    public static function of(Environment $environment): self
    {
        $token = $environment->text('DIAGNOSTICS_TOKEN');
        if (strlen($token) < self::SHORTEST_TOKEN) {
            throw new Refusal(500, 'DIAGNOSTICS_TOKEN is not configured, or has fewer than 24 characters.');
        }
        return new self($token);
    }

    /**
     * The headers to answer with.
     *
     * @param array<mixed> $server
     * @param array<mixed> $cookies
     * @param array<mixed> $form
     * @return array<string, string>
     * @throws Refusal 401 to whoever may not enter, 403 to other sites
     */
    public function enter(array $server, array $cookies, #[\SensitiveParameter] array $form): array
    {
        // Under CGI, Apache hands the header on under the second name.
        $header = $server['HTTP_AUTHORIZATION'] ?? $server['REDIRECT_HTTP_AUTHORIZATION'] ?? '';
        if (is_string($header) && preg_match('/^Bearer[ \t]+(.*)$/isD', trim($header), $found) === 1) {
            return $this->isToken($found[1]) ? [] : throw self::unauthorized();
        }
        if (!in_array($server['HTTP_SEC_FETCH_SITE'] ?? 'none', ['none', 'same-origin'], true)) {
            throw new Refusal(403, 'Forbidden');
        }
        if (is_string($form['token'] ?? null)) {
            return $this->isToken(trim($form['token'])) ? ['Set-Cookie' => $this->cookie($server)] : throw self::unauthorized();
        }
        $cookie = $cookies[self::COOKIE] ?? null;
        return is_string($cookie) && $this->isValid($cookie) ? [] : throw self::unauthorized();
    }

    private function isToken(#[\SensitiveParameter] string $token): bool
    {
        // Of digests, so that not even the length is given away.
        return hash_equals(hash('sha256', $this->token), hash('sha256', $token));
    }

    /** @param array<mixed> $server */
    private function cookie(array $server): string
    {
        $until = (string) (time() + self::SECONDS);
        $isSecure = !in_array($server['HTTPS'] ?? '', ['', 'off'], true) || ($server['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https';
        return self::COOKIE . "=$until.{$this->seal($until)}; Path=/; HttpOnly; SameSite=Strict; Max-Age=" . self::SECONDS . ($isSecure ? '; Secure' : '');
    }

    private function isValid(string $cookie): bool
    {
        [$until, $seal] = explode('.', $cookie, 2) + [1 => ''];
        return hash_equals($this->seal($until), $seal) && ctype_digit($until) && (int) $until >= time();
    }

    private function seal(string $until): string
    {
        return hash_hmac('sha256', "diagnostics until $until", $this->token);
    }

    private static function unauthorized(): Refusal
    {
        return new Refusal(401, 'Unauthorized', ['WWW-Authenticate' => 'Bearer realm="diagnostics"']);
    }
}
