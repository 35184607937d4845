<?php

declare(strict_types=1);

namespace RenderSignal\Links;

use RenderSignal\Shared\Environment;
use RenderSignal\Shared\Files;
use RenderSignal\Shared\Refusal;
use RenderSignal\Shared\Trouble;
use RenderSignal\Shared\WebRoot;

/**
 * The list `webhook_links.json`, which the program reads and writes, too. Two locks are held while
 * it is written: that of a `.lock` file beside it, which outlives every replacement, and that
 * of the list itself. The `.lock` file holds the program's note of how far its journal has been
 * carried over, and where the last archive ends.
 */
final class LinkList
{
    public function __construct(
        public readonly string $path,
        private readonly Bounds $bounds = new Bounds(),
        private readonly ?int $mode = null,
    ) {
    }

    /**
     * The list of this installation.
     *
     * @throws Refusal when a setting cannot be used
     */
    public static function of(Environment $environment, WebRoot $root): self
    {
        $mode = $environment->text('WEBHOOK_LINKS_FILE_MODE');
        if ($mode !== '' && preg_match('/^0?[0-7]{3}$/D', $mode) !== 1) {
            throw new Refusal(500, 'WEBHOOK_LINKS_FILE_MODE is no mode such as 0660.');
        }
        $path = $environment->path('WEBHOOK_LINKS_FILE', 'data/webhook_links.json', $root);
        return new self($path, Bounds::of($environment), $mode === '' ? null : (int) octdec($mode));
    }

    /**
     * Adds entries, all of them or none; returns how many were not there already.
     *
     * @param list<\stdClass> $entries
     * @throws Trouble when it cannot be written; the list is then as before
     */
    public function add(array $entries): int
    {
        if ($entries === []) {
            return 0;
        }
        Files::makeFolder(dirname($this->path), $this->mode ?? Files::FOR_US_ALONE);
        $lock = Files::lock($this->lockPath(), $this->mode ?? Files::FOR_US_ALONE);
        try {
            if ($this->mode !== null) {
                // Those who may write the list take it, too. If it is another user's, he has said.
                @chmod($this->lockPath(), $this->mode);
            }
            return $this->addLocked($lock, $entries);
        } finally {
            fclose($lock);
        }
    }

    /** What it holds; empty when there is no list. */
    public function content(): string
    {
        $path = Files::resolve($this->path);
        if (!file_exists($path)) {
            return '';
        }
        $content = @file_get_contents($path);
        return $content === false ? throw new Trouble("{$this->path} cannot be read") : $content;
    }

    /** Tries the locks and the folder; nothing stays. */
    public function check(): void
    {
        Files::makeFolder(dirname($this->path), $this->mode ?? Files::FOR_US_ALONE);
        $lock = Files::lock($this->lockPath(), $this->mode ?? Files::FOR_US_ALONE);
        $trial = dirname(Files::resolve($this->path)) . '/.' . bin2hex(random_bytes(6)) . '.tmp';
        try {
            Files::create($trial, '', Files::FOR_US_ALONE);
        } finally {
            @unlink($trial);
            fclose($lock);
        }
    }

    /**
     * Files into which the list was put when it had become too long, or was damaged.
     *
     * @return list<string>
     */
    public function archives(): array
    {
        $path = Files::resolve($this->path);
        return glob(dirname($path) . '/' . self::stem($path) . '-*.json') ?: [];
    }

    /**
     * @param resource $lock
     * @param list<\stdClass> $entries
     */
    private function addLocked($lock, array $entries): int
    {
        $present = $this->openPresent();
        try {
            $content = $present === null ? '' : (string) stream_get_contents($present);
            $note = self::note($lock);
            try {
                $book = new Book($content, $this->bounds);
            } catch (\JsonException) {
                $this->putAside();
                // The program writes anew what its journal has when it does not find its place.
                unset($note->position, $note->event_id);
                $book = new Book('', $this->bounds);
            }
            $archived = is_string($note->archived ?? null) ? $note->archived : null;
            $plan = $book->append($entries, $archived);
            if ($plan->text === null) {
                return 0;
            }
            if ($plan->archive) {
                $this->archive();
                $note->archived = $book->lastMark();
            }
            Files::replace($this->path, $plan->text, $this->modeNow());
            self::remember($lock, $note);
            return $plan->added;
        } finally {
            if ($present !== null) {
                fclose($present);
            }
        }
    }

    /**
     * The list as it lies there, locked; `null` when there is none.
     *
     * @return resource|null
     */
    private function openPresent()
    {
        $deadline = microtime(true) + 5.0;
        do {
            $path = Files::resolve($this->path);
            if (!file_exists($path)) {
                return null;
            }
            $file = @fopen($path, 'rb');
            if ($file === false || !Files::waitFor($file, $deadline)) {
                throw new Trouble("{$this->path} cannot be read, or is locked by somebody else");
            }
            // A writer that knows nothing of the `.lock` may have replaced it just now.
            if (Files::isAt($file, $path)) {
                return $file;
            }
            fclose($file);
        } while (microtime(true) < $deadline);
        throw new Trouble("{$this->path} is replaced again and again");
    }

    /** A second name for the file, and then a new file: at no time is there none. */
    private function archive(): void
    {
        $path = Files::resolve($this->path);
        $isDone = $this->withUnusedName('', static function (string $archive) use ($path): bool {
            if (@link($path, $archive)) {
                return true;
            }
            if (file_exists($archive)) {
                return false;
            }
            // A file system without hard links.
            Files::create($archive, (string) file_get_contents($path), (int) fileperms($path) & 0777);
            return true;
        });
        if (!$isDone) {
            throw new Trouble("{$this->path} cannot be archived");
        }
    }

    /** What is no list is moved out of the way; it is never emptied or removed. */
    private function putAside(): void
    {
        $path = Files::resolve($this->path);
        $isDone = $this->withUnusedName(
            '-corrupt',
            static fn (string $aside) => !file_exists($aside) && @rename($path, $aside),
        );
        if (!$isDone) {
            throw new Trouble("{$this->path} is no list and cannot be put aside");
        }
        error_log("links: {$this->path} was no list and was put aside");
    }

    /** @param \Closure(string): bool $take */
    private function withUnusedName(string $kind, \Closure $take): bool
    {
        $path = Files::resolve($this->path);
        $stem = dirname($path) . '/' . self::stem($path) . $kind . '-' . gmdate('Ymd-His');
        for ($number = 1; $number <= 1_000; $number++) {
            if ($take($stem . ($number === 1 ? '' : "-$number") . '.json')) {
                return true;
            }
        }
        return false;
    }

    private function modeNow(): int
    {
        $path = Files::resolve($this->path);
        $present = file_exists($path) ? (int) fileperms($path) & 0777 : Files::FOR_US_ALONE;
        return $this->mode ?? $present;
    }

    /** @param resource $lock */
    private static function note($lock): \stdClass
    {
        rewind($lock);
        $note = json_decode((string) stream_get_contents($lock, 4_096));
        return $note instanceof \stdClass ? $note : new \stdClass();
    }

    /**
     * Half of it would not be read as a note, and the list be written anew: no harm.
     *
     * @param resource $lock
     */
    private static function remember($lock, \stdClass $note): void
    {
        Files::write($lock, get_object_vars($note) === [] ? '' : (string) json_encode($note));
    }

    private static function stem(string $path): string
    {
        return pathinfo($path, PATHINFO_FILENAME);
    }

    private function lockPath(): string
    {
        return $this->path . '.lock';
    }
}
