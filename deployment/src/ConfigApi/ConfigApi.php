<?php

declare(strict_types=1);

namespace RenderSignal\ConfigApi;

use RenderSignal\Shared\Json;
use RenderSignal\Shared\Refusal;

/**
 * The protocol: `GET ?key=…` reads a document, `POST {"key": …, "config": {…}}` replaces one,
 * `POST {"key": …, "remove": true}` removes one. A field that nobody knows is refused, unless
 * it is stored already or the body says `"allow_unknown": true`.
 * An answer has the fields of both generations of clients: `success` and `config`, `status`,
 * `data` and `timestamp`. It carries the document's `ETag`; a writer that sends it back as
 * `If-Match`, or `If-None-Match: *` where it saw no document, replaces nothing that it has
 * not seen.
 */
final class ConfigApi
{
    /** The longest body, in bytes. */
    private const MAX_BODY = 1_048_576;

    public function __construct(private readonly Storage $storage)
    {
    }

    /** The answer to an authorized request. */
    public function answer(string $method): Answer
    {
        return match ($method) {
            'GET' => $this->read(self::key($_GET['key'] ?? null) ?? throw new Refusal(400, 'Invalid key')),
            'POST' => $this->write(self::body()),
            default => throw new Refusal(405, 'Method not allowed', ['Allow' => 'GET, POST']),
        };
    }

    /** The body of the answer to a refused request. */
    public static function error(string $message): string
    {
        return Json::line([
            'success' => false,
            'status' => 'error',
            'message' => $message,
            'timestamp' => self::now(),
        ]);
    }

    private function read(string $key): Answer
    {
        $document = $this->storage->read($key) ?? throw new Refusal(404, 'Unknown key');
        return self::success($document, 'Configuration lue avec succès');
    }

    private function write(string $body): Answer
    {
        $json = new Json();
        try {
            $request = $json->decode($body);
        } catch (\JsonException) {
            throw new Refusal(400, 'Invalid payload');
        }
        $key = $request instanceof \stdClass ? self::key($request->key ?? null) : null;
        if ($key !== null && ($request->remove ?? null) === true && !isset($request->config)) {
            return $this->remove($key);
        }
        $config = $request->config ?? null;
        // A list has no place for `_updated_at`, and no document is one.
        if ($key === null || !$config instanceof \stdClass) {
            throw new Refusal(400, 'Invalid payload');
        }
        // As it is: `$json` marks some numbers.
        $plain = json_decode($body)->config;
        $problems = Documents::problems($key, $plain);
        if (($request->allow_unknown ?? null) !== true) {
            $stored = json_decode($this->storage->peek($key) ?? '');
            $before = $stored instanceof \stdClass ? $stored : null;
            array_push($problems, ...Names::problems($key, $before, $plain));
        }
        if ($problems !== []) {
            throw new Refusal(400, 'Invalid payload: ' . implode('; ', $problems));
        }
        $config->_updated_at = gmdate('Y-m-d\TH:i:s+00:00');
        $document = $json->encode($config);
        $this->storage->write($key, $document . "\n", self::condition());
        error_log(sprintf('config_api: wrote %s (%d bytes)', $key, strlen($document)));
        return self::success($document, 'Configuration mise à jour avec succès');
    }

    /** Removes a document; no client of the reference system asks for it. */
    private function remove(string $key): Answer
    {
        if (!$this->storage->remove($key, self::condition())) {
            throw new Refusal(404, 'Unknown key');
        }
        error_log("config_api: removed $key");
        return self::success('{}', 'Configuration supprimée');
    }

    /** The key as documents are named, or `null` when it cannot be one. */
    private static function key(mixed $key): ?string
    {
        if (!is_string($key)) {
            return null;
        }
        $key = strtolower(trim($key, " \t\r\n"));
        return preg_match('/^[a-z0-9_-]{1,128}$/D', $key) === 1 ? $key : null;
    }

    private static function body(): string
    {
        $body = (int) ($_SERVER['CONTENT_LENGTH'] ?? 0) > self::MAX_BODY
            ? null
            : file_get_contents('php://input', length: self::MAX_BODY + 1);
        if ($body === null || strlen((string) $body) > self::MAX_BODY) {
            throw new Refusal(413, 'Payload too large');
        }
        return Json::text((string) $body);
    }

    /** The document goes into the answer as it is stored: nothing is decoded and encoded again. */
    private static function success(string $document, string $message): Answer
    {
        $document = trim($document);
        $body = '{"success":true,"status":"success","config":' . $document . ',"data":' . $document
            . ',"timestamp":' . Json::line(self::now()) . ',"message":' . Json::line($message) . '}';
        return new Answer($body, ['ETag' => self::tag($document)]);
    }

    /**
     * What the writer says that it has seen (RFC 9110, section 13.1), as a question to the
     * text that is stored, or `null`; without a condition everything holds.
     *
     * @return \Closure(?string): bool
     */
    private static function condition(): \Closure
    {
        $match = self::tags('HTTP_IF_MATCH');
        $noneMatch = self::tags('HTTP_IF_NONE_MATCH');
        return static function (?string $stored) use ($match, $noneMatch): bool {
            $names = $stored === null ? [] : ['*', self::tag(trim($stored))];
            return ($match === null || array_intersect($match, $names) !== [])
                && ($noneMatch === null || array_intersect($noneMatch, $names) === []);
        };
    }

    /** @return list<string>|null what a header names; `null` without it */
    private static function tags(string $header): ?array
    {
        $tags = $_SERVER[$header] ?? null;
        return $tags === null ? null : array_map(trim(...), explode(',', (string) $tags));
    }

    private static function tag(string $document): string
    {
        return '"' . hash('sha256', $document) . '"';
    }

    private static function now(): string
    {
        return gmdate('Y-m-d\TH:i:s\Z');
    }
}
