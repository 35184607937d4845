<?php

declare(strict_types=1);

namespace RenderSignal\ConfigApi;

use RenderSignal\Shared\Json;
use RenderSignal\Shared\Refusal;

/**
 * One file `<key>.json` per document. A reader sees the old or the new document, never half of
 * one, whenever a writer is killed. Beside it lie `.<key>.lock` (empty; stays) and, while
 * somebody writes or after he was killed, `.<key>.tmp`. Keys have no dots, so nothing collides.
 */
final class Storage
{
    /** Shorter than the 8 s after which the client gives up. */
    private const LOCK_SECONDS = 5;

    /** Of a document that is there but cannot be opened. */
    private const READ_ATTEMPTS = 10;

    public function __construct(private readonly string $folder)
    {
        // Another request may create it at the same time.
        if (!is_dir($folder) && !@mkdir($folder, 0750, true) && !is_dir($folder)) {
            throw new Refusal(500, 'Storage directory not writable.');
        }
    }

    /**
     * The text of a document; `null` when there is none.
     *
     * @throws Refusal 500 when it cannot be read or is damaged
     */
    public function read(string $key): ?string
    {
        $text = $this->stored($key);
        if ($text !== null && !Json::isObject($text)) {
            error_log("config_api: the stored document $key is damaged");
            throw new Refusal(500, 'Read error');
        }
        return $text;
    }

    /** The same, but `null` also where it is damaged or cannot be read. */
    public function peek(string $key): ?string
    {
        try {
            return $this->read($key);
        } catch (Refusal) {
            return null;
        }
    }

    /**
     * Replaces a document. When this returns, it is on the disk.
     *
     * @param \Closure(?string): bool $condition whether the stored text, or `null`, is what the
     *     writer believes; asked while nobody else can write
     * @throws Refusal 412 when it is not, 500 when it cannot be written; nothing was changed
     */
    public function write(string $key, string $text, \Closure $condition): void
    {
        $lock = $this->lock($key);
        try {
            if (!$condition($this->stored($key))) {
                throw new Refusal(412, 'Changed by somebody else');
            }
            $temporary = "{$this->folder}/.$key.tmp";
            if (!self::fill($temporary, $text) || !@rename($temporary, $this->path($key))) {
                throw new Refusal(500, 'Write error');
            }
        } finally {
            flock($lock, LOCK_UN);
            fclose($lock);
        }
    }

    /**
     * Removes a document. Returns whether there was one.
     *
     * @param \Closure(?string): bool $condition as for `write`
     * @throws Refusal 412 when the condition does not hold, 500 when it cannot be removed
     */
    public function remove(string $key, \Closure $condition): bool
    {
        $lock = $this->lock($key);
        try {
            $stored = $this->stored($key);
            if (!$condition($stored)) {
                throw new Refusal(412, 'Changed by somebody else');
            }
            if ($stored === null) {
                return false;
            }
            if (!@unlink($this->path($key))) {
                throw new Refusal(500, 'Write error');
            }
            return true;
        } finally {
            flock($lock, LOCK_UN);
            fclose($lock);
        }
    }

    /** What lies there, sound or damaged; `null` when there is nothing. */
    private function stored(string $key): ?string
    {
        $path = $this->path($key);
        for ($attempt = 1; ; $attempt++) {
            $text = @file_get_contents($path);
            if ($text !== false) {
                return Json::text($text);
            }
            clearstatcache();
            if (!file_exists($path)) {
                return null;
            }
            // It may have been created between the two looks; a document that cannot be read
            // fails every time.
            if ($attempt === self::READ_ATTEMPTS) {
                throw new Refusal(500, 'Read error');
            }
        }
    }

    private function path(string $key): string
    {
        return "{$this->folder}/$key.json";
    }

    /** @return resource */
    private function lock(string $key)
    {
        $lock = @fopen("{$this->folder}/.$key.lock", 'c');
        if ($lock === false) {
            throw new Refusal(500, 'Storage directory not writable.');
        }
        $deadline = hrtime(true) + self::LOCK_SECONDS * 1_000_000_000;
        while (!flock($lock, LOCK_EX | LOCK_NB)) {
            if (hrtime(true) >= $deadline) {
                fclose($lock);
                throw new Refusal(500, 'Write error');
            }
            usleep(5_000);
        }
        return $lock;
    }

    private static function fill(string $path, string $text): bool
    {
        $file = @fopen($path, 'wb');
        if ($file === false) {
            return false;
        }
        $written = @fwrite($file, $text) === strlen($text) && fflush($file) && fsync($file);
        // Documents hold addresses and tokens: not for everybody on a shared host.
        return fclose($file) && $written && chmod($path, 0640);
    }
}
