<?php

declare(strict_types=1);

namespace RenderSignal\Links;

use RenderSignal\Shared\Json;

/** The entries of a list, and what becomes of them. By the program's rules; touches no file. */
final class Book
{
    private readonly Json $json;

    /** @var list<mixed> */
    public readonly array $entries;

    /** @throws \JsonException when the content is no list; an empty file is an empty list */
    public function __construct(string $content, private readonly Bounds $bounds = new Bounds())
    {
        $this->json = new Json();
        $entries = trim($content) === '' ? [] : $this->json->decode(Json::text($content));
        if (!is_array($entries)) {
            throw new \JsonException('it is JSON, but no array');
        }
        $this->entries = array_values($entries);
    }

    /**
     * The list with new entries at its end. One that it has already changes nothing: a copy by
     * its source, address and provider, a link by its time, too.
     *
     * @param list<\stdClass> $fresh
     * @param ?string $archivedUpTo the mark of the last entry that is in an archive; the oldest
     *     make room only for that reason, since those of others are nowhere else
     */
    public function append(array $fresh, ?string $archivedUpTo): Plan
    {
        $known = array_fill_keys(array_map($this->identity(...), $this->entries), true);
        $added = [];
        foreach ($fresh as $entry) {
            $identity = $this->identity($entry);
            if (!isset($known[$identity])) {
                $known[$identity] = true;
                $added[] = $entry;
            }
        }
        if ($added === []) {
            return new Plan(null);
        }
        $count = count($this->entries);
        $makeRoom = min($count, $this->bounds->tooMany($count + count($added)));
        $text = $this->write($this->newest([...$this->entries, ...$added]));
        if (!$this->bounds->isTooLong($text)) {
            return new Plan($text, $makeRoom > $this->archived($archivedUpTo), count($added));
        }
        return new Plan($this->fitting($this->newest($added)), $count > 0, count($added));
    }

    /** What tells an entry from the others. The program computes the same. */
    public function mark(mixed $entry): string
    {
        $text = implode("\n", self::copyOf($entry) ?? [$this->json->compact($entry)]);
        return substr(hash('sha256', $text), 0, 32);
    }

    /** The same for entries whose source stands there in another form: one copy is one entry. */
    private function identity(mixed $entry): string
    {
        $copy = self::copyOf($entry);
        if ($copy === null) {
            return $this->mark($entry);
        }
        $copy[0] = SourceUrl::normalise($copy[0], $copy[2]);
        return implode("\n", $copy);
    }

    /** @return array{string, string, string}|null source, address and provider; `null` = no copy */
    private static function copyOf(mixed $entry): ?array
    {
        $text = static fn (string $name) => is_string($entry->$name ?? null) ? $entry->$name : null;
        [$source, $address] = [$text('source_url'), $text('r2_url')];
        return $source === null || $address === null ? null : [$source, $address, $text('provider') ?? ''];
    }

    public function lastMark(): ?string
    {
        return $this->entries === [] ? null : $this->mark($this->entries[count($this->entries) - 1]);
    }

    /** How many of the first entries are in an archive that ends with the entry of this mark. */
    private function archived(?string $mark): int
    {
        for ($at = count($this->entries) - 1; $mark !== null && $at >= 0; $at--) {
            if ($this->mark($this->entries[$at]) === $mark) {
                return $at + 1;
            }
        }
        return 0;
    }

    /**
     * @param list<mixed> $entries
     * @return list<mixed>
     */
    private function newest(array $entries): array
    {
        return array_slice($entries, $this->bounds->tooMany(count($entries)));
    }

    /**
     * As many of the newest as fit, at least one.
     *
     * @param list<mixed> $entries
     */
    private function fitting(array $entries): string
    {
        for (;;) {
            $text = $this->write($entries);
            $count = count($entries);
            if (!$this->bounds->isTooLong($text) || $count <= 1) {
                return $text;
            }
            // In proportion, so that few rounds are needed, and at least one.
            $keep = intdiv($count * $this->bounds->maxBytes, strlen($text));
            $entries = array_slice($entries, $count - max(1, min($count - 1, $keep)));
        }
    }

    /**
     * As the program writes it: two blanks of indentation.
     *
     * @param list<mixed> $entries
     */
    private function write(array $entries): string
    {
        $halved = static fn (array $found) => substr($found[0], 0, intdiv(strlen($found[0]), 2));
        return (string) preg_replace_callback('/^ +/m', $halved, $this->json->encode($entries));
    }
}
