<?php

declare(strict_types=1);

namespace RenderSignal\Receiver;

use RenderSignal\Shared\Files;

/**
 * The receipts of the webhooks of the last weeks: a webhook that comes again is known by its
 * `webhook-id`. The program repeats one for three days; a person may send one again later.
 */
final class Receipts
{
    /** Folders that they are spread over. Each request tidies up the one that it uses. */
    private const FOLDERS = 64;

    public function __construct(
        private readonly string $folder,
        private readonly int $days,
        private readonly int $most,
    ) {
    }

    /** The receipt of a webhook, for this request alone until it is closed. */
    public function open(string $id): Receipt
    {
        $name = hash('sha256', $id);
        $folder = $this->folder . '/' . sprintf('%02x', hexdec(substr($name, 0, 2)) % self::FOLDERS);
        Files::makeFolder($folder);
        $file = Files::lock("$folder/$name.jsonl");
        $this->tidyUp($folder, "$folder/$name.jsonl");
        return new Receipt($file, $id);
    }

    /** How many there are, for people. */
    public function count(): int
    {
        return count(glob("{$this->folder}/*/*.jsonl") ?: []);
    }

    /** Removes what is too old, and the oldest of too many, but none that somebody works on. */
    private function tidyUp(string $folder, string $present): void
    {
        $ages = [];
        foreach (glob("$folder/*.jsonl") ?: [] as $path) {
            $ages[$path] = (int) @filemtime($path);
        }
        unset($ages[$present]);
        asort($ages);
        $tooMany = count($ages) + 1 - max(1, intdiv($this->most, self::FOLDERS));
        $oldest = time() - 86_400 * $this->days;
        foreach ($ages as $path => $age) {
            if ($tooMany-- <= 0 && $age >= $oldest) {
                break;
            }
            $file = @fopen($path, 'rb');
            // Whoever waits for it sees that it has gone, and makes another.
            if ($file !== false && flock($file, LOCK_EX | LOCK_NB)) {
                @unlink($path);
            }
        }
    }
}
