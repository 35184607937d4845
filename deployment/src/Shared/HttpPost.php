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
        $lines = stream_get_meta_data($stream)['wrapper_data'] ?? [];
        $lines = is_array($lines) ? array_values(array_filter($lines, is_string(...))) : [];
        $length = self::length($lines);
        // Not until the end of the connection, which some servers keep.
        $text = (string) @stream_get_contents($stream, min($length ?? self::MOST, self::MOST));
        $isWhole = $length === null ? !stream_get_meta_data($stream)['timed_out'] : strlen($text) >= min($length, self::MOST);
        fclose($stream);
        $status = self::status($lines);
        if (!$isWhole || $status === null) {
            throw new Trouble("$host does not answer to the end");
        }
        return new HttpAnswer($status, $text);
    }

    /**
     * Bytes of the answer, if it says.
     *
     * @param list<string> $lines
     */
    private static function length(array $lines): ?int
    {
        $length = null;
        foreach ($lines as $line) {
            if (preg_match('/^Content-Length:\s*(\d{1,9})\s*$/iD', $line, $found) === 1) {
                $length = (int) $found[1];
            }
        }
        return $length;
    }

    /**
     * The last status line: one with 100 may stand before it.
     *
     * @param list<string> $lines
     */
    private static function status(array $lines): ?int
    {
        $status = null;
        foreach ($lines as $line) {
            if (preg_match('~^HTTP/\d(?:\.\d)? (\d{3})~', $line, $found) === 1) {
                $status = (int) $found[1];
            }
        }
        return $status;
    }
}
