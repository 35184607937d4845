<?php

declare(strict_types=1);

namespace RenderSignal\Gmail;

use RenderSignal\Shared\Files;
use RenderSignal\Shared\Trouble;

/**
 * What is kept of the checks of the account: the last one, and a line for each. The program reads
 * and writes the same files.
 */
final class CheckFiles
{
    private const LAST = 'gmail_oauth_last_check.json';
    private const HISTORY = 'gmail_oauth_check_history.jsonl';
    private const LOCK = 'gmail_oauth_check.lock';

    public function __construct(private readonly string $folder)
    {
    }

    /** @return array<mixed>|null the last check; `null` when there was none, or its file says nothing */
    public function last(): ?array
    {
        $text = @file_get_contents("{$this->folder}/" . self::LAST);
        $last = $text === false ? null : json_decode($text, true);
        return is_array($last) ? $last : null;
    }

    /** When the last check ran, in seconds since 1970; the file may say it as a date, too. */
    public function lastRun(): ?int
    {
        $at = $this->last()['last_run_ts'] ?? null;
        if (is_int($at) || is_float($at)) {
            return (int) $at;
        }
        if (is_string($at) && ctype_digit($at)) {
            return (int) $at;
        }
        $parsed = is_string($at) ? strtotime($at) : false;
        return $parsed === false ? null : $parsed;
    }

    /**
     * Runs something while nobody else checks; `null` when somebody does.
     *
     * @template T
     * @param \Closure(): T $work
     * @return T|null
     */
    public function alone(\Closure $work): mixed
    {
        Files::makeFolder($this->folder);
        try {
            $lock = Files::lock("{$this->folder}/" . self::LOCK);
        } catch (Trouble) {
            return null;
        }
        try {
            return $work();
        } finally {
            fclose($lock);
        }
    }

    /**
     * Keeps a check: as the last one, and behind the others. What has been kept is never changed.
     *
     * @param array<string, mixed> $check
     */
    public function keep(array $check): void
    {
        $line = (string) json_encode($check, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
        $history = Files::lock("{$this->folder}/" . self::HISTORY);
        try {
            // Half a line of a crash stays a line of its own.
            $isWhole = fseek($history, -1, SEEK_END) !== 0 || fgetc($history) === "\n";
            Files::write($history, ($isWhole ? '' : "\n") . "$line\n", behind: true);
        } finally {
            fclose($history);
        }
        $path = "{$this->folder}/" . self::LAST;
        Files::replace($path, "$line\n", is_file($path) ? (int) fileperms($path) & 0777 : Files::FOR_US_ALONE);
    }
}
