<?php

declare(strict_types=1);

namespace RenderSignal\Receiver;

use RenderSignal\Shared\Files;

/**
 * What has been done for one webhook, in a file of its own that is locked while it is worked on.
 * Each step is a line of JSON, on the disk before the next step begins, so that a crash in the
 * middle leaves what was done; half a line at the end is one that was not finished.
 */
final class Receipt
{
    /** @var array<mixed> what the lines say, later ones covering earlier ones */
    private array $known = [];

    private string $lastByte = "\n";

    /** @param resource $file locked */
    public function __construct(private $file, string $id)
    {
        $content = (string) stream_get_contents($file);
        foreach (explode("\n", $content) as $line) {
            $step = json_decode($line, true);
            $this->known = array_replace($this->known, is_array($step) ? $step : []);
        }
        $this->lastByte = $content === '' ? "\n" : $content[strlen($content) - 1];
        if (!is_string($this->known['at'] ?? null)) {
            $now = new \DateTimeImmutable();
            $this->note(['id' => $id, 'at' => $now->format('Y-m-d\TH:i:s.uP')]);
        }
    }

    /** When the webhook came for the first time: the time of its entries, whenever they are written. */
    public function at(): \DateTimeImmutable
    {
        $at = is_string($this->known['at'] ?? null) ? $this->known['at'] : 'now';
        return new \DateTimeImmutable($at);
    }

    public function get(string $step): mixed
    {
        return $this->known[$step] ?? null;
    }

    /**
     * Notes a step that has been done.
     *
     * @param array<string, mixed> $step
     */
    public function note(array $step): void
    {
        // What is behind half a line would be read as a part of it.
        $start = $this->lastByte === "\n" ? '' : "\n";
        Files::write($this->file, $start . json_encode($step, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE) . "\n", behind: true);
        $this->lastByte = "\n";
        $this->known = array_replace($this->known, $step);
    }

    public function close(): void
    {
        fclose($this->file);
    }
}
