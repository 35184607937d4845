<?php

declare(strict_types=1);

namespace RenderSignal;

use RenderSignal\Links\Book;
use RenderSignal\Links\Entry;
use RenderSignal\Links\LinkList;
use RenderSignal\Links\Providers;
use RenderSignal\Shared\Trouble;

require_once __DIR__ . '/autoload.php';

/**
 * Records links in `webhook_links.json`, in both of its formats. Every method says what has been
 * recorded; one that fails throws, and has changed nothing.
 */
final class JsonLogger
{
    /** Where entries of deliveries say they come from. */
    private const SOURCE = 'webhook';

    /** @param ?\DateTimeImmutable $at the time that entries get; `null` = now */
    public function __construct(private readonly LinkList $list, private readonly ?\DateTimeImmutable $at = null)
    {
    }

    /**
     * Records a copy: where a file came from, and where it lies in R2.
     *
     * @return bool whether the list names it now; false when an address is none
     * @throws Trouble when the list cannot be written
     */
    public function logR2LinkPair(
        string $sourceUrl,
        string $r2Url,
        string $provider = Providers::UNKNOWN,
        ?string $emailId = null,
        ?string $originalFilename = null,
    ): bool {
        $entry = Entry::copy($sourceUrl, $r2Url, $provider, $emailId, $originalFilename, $this->now());
        if ($entry === null) {
            return false;
        }
        $this->list->add([$entry]);
        return true;
    }

    /**
     * Records a link alone.
     *
     * @return bool false when it is none
     * @throws Trouble when the list cannot be written
     */
    public function logDropboxUrl(string $url, string $source = self::SOURCE): bool
    {
        $entry = Entry::legacy($url, $source, $this->now());
        if ($entry === null) {
            return false;
        }
        $this->list->add([$entry]);
        return true;
    }

    /**
     * Records the links of a delivery at once: those that have a copy as pairs, the others alone.
     *
     * @param array<mixed> $deliveryLinks objects with `raw_url` and perhaps `direct_url`, `r2_url`,
     *     `provider` and `original_filename`, or addresses
     * @return array{r2: int, legacy: int} how many of each kind the list names now
     * @throws Trouble when the list cannot be written
     */
    public function logDeliveryLinkPairs(array $deliveryLinks, ?string $emailId = null): array
    {
        $pairs = [];
        $alone = [];
        foreach ($deliveryLinks as $link) {
            $fields = is_array($link) ? $link : ($link instanceof \stdClass ? get_object_vars($link) : ['raw_url' => $link]);
            $text = static fn (string $name) => is_string($fields[$name] ?? null) ? trim($fields[$name]) : '';
            $source = $text('direct_url') !== '' ? $text('direct_url') : $text('raw_url');
            if ($text('r2_url') !== '') {
                $name = $text('original_filename');
                $pairs[] = Entry::copy($source, $text('r2_url'), $text('provider'), $emailId, $name === '' ? null : $name, $this->now());
                // A copy whose address is none does not hide the link.
                $source = end($pairs) === null ? $text('raw_url') : '';
            } else {
                $source = $text('raw_url');
            }
            if ($source !== '') {
                $alone[$source] ??= Entry::legacy($source, self::SOURCE, $this->now());
            }
        }
        $pairs = array_values(array_filter($pairs));
        $alone = array_values(array_filter($alone));
        $this->list->add([...$pairs, ...$alone]);
        return ['r2' => count($pairs), 'legacy' => count($alone)];
    }

    /**
     * The newest entries, of both formats, the newest first.
     *
     * @return list<\stdClass>
     * @throws Trouble|\JsonException when the list cannot be read, or is none
     */
    public function getRecentLogs(int $limit = 50): array
    {
        $entries = array_values(array_filter((new Book($this->list->content()))->entries, static fn ($entry) => $entry instanceof \stdClass));
        // Stable: entries of one instant, or without a time, keep their order.
        $at = static fn (\stdClass $entry) => (float) @strtotime((string) ($entry->created_at ?? $entry->timestamp ?? ''));
        usort($entries, static fn ($one, $other) => $at($one) <=> $at($other));
        return array_slice(array_reverse($entries), 0, max(0, $limit));
    }

    private function now(): \DateTimeImmutable
    {
        return $this->at ?? new \DateTimeImmutable();
    }
}
