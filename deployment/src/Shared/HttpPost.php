<?php

declare(strict_types=1);

namespace RenderSignal\Shared;

/** A request to another server, by what every PHP has: no extension but `openssl`. */
final class HttpPost
{
    /** More is no answer of these services. */
    private const MOST = 262_144;

    /** Whether requests may be sent to this address: over TLS, or to this very machine. */
    public static function mayGoTo(string $url): bool
    {
        $parts = parse_url($url);
        $host = trim((string) ($parts['host'] ?? ''), '[]');
        $isHere = in_array($host, ['127.0.0.1', '::1', 'localhost'], true);
        return $host !== '' && (($parts['scheme'] ?? '') === 'https' || (($parts['scheme'] ?? '') === 'http' && $isHere));
    }

    /**
     * @param array<string, string> $headers
     * @throws Trouble when there is no answer
     */
    public static function send(
        string $url,
        #[\SensitiveParameter] array $headers,
        #[\SensitiveParameter] string $body,
        float $seconds,
    ): HttpAnswer {
        $host = (string) parse_url($url, PHP_URL_HOST);
        if (!self::mayGoTo($url)) {
            throw new Trouble('the address of a service is not https');
        }
        $lines = ['Connection: close'];
        foreach ($headers as $name => $value) {
            $lines[] = "$name: $value";
        }
        $context = stream_context_create([
            'http' => [
                'method' => 'POST',
                'header' => $lines,
                'content' => $body,
                'timeout' => $seconds,
                'ignore_errors' => true,
                // An address that nobody has configured is given no secret.
                'follow_location' => 0,
                'protocol_version' => 1.1,
            ],
        ]);
        $stream = @fopen($url, 'rb', false, $context);
        if ($stream === false) {
            throw new Trouble("no answer of $host");
        }
        $text = @stream_get_contents($stream, self::MOST);
        $meta = stream_get_meta_data($stream);
        fclose($stream);
        $status = self::status($meta['wrapper_data'] ?? null);
        if ($text === false || $status === null || $meta['timed_out']) {
            throw new Trouble("$host does not answer to the end");
        }
        return new HttpAnswer($status, $text);
    }

    /** The last status line: one with 100 may stand before it. */
    private static function status(mixed $lines): ?int
    {
        $status = null;
        foreach (is_array($lines) ? $lines : [] as $line) {
            if (is_string($line) && preg_match('~^HTTP/\d(?:\.\d)? (\d{3})~', $line, $found) === 1) {
                $status = (int) $found[1];
            }
        }
        return $status;
    }
}
