<?php

declare(strict_types=1);

namespace RenderSignal\Diagnostics;

use RenderSignal\Links\Book;
use RenderSignal\Links\Entry;
use RenderSignal\Links\Providers;

/** What a list holds, counted as the program counts it, and what in it is not as it should be. */
final class Conformity
{
    /** So many problems are named. */
    private const MOST = 20;

    /** A time as the program, the PHP pages and the reference system write it. */
    private const TIME = '/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?$/D';

    private int $r2 = 0;
    private int $legacy = 0;
    private int $other = 0;
    private int $wrong = 0;

    /** @var array<string, int> */
    private array $providers = [];

    /** @var list<array{entry: int, problem: string}> */
    private array $problems = [];

    private function __construct()
    {
    }

    /**
     * @param string $content of the file
     * @return array<string, mixed>
     */
    public static function of(string $content): array
    {
        $found = new self();
        try {
            $entries = (new Book($content))->entries;
        } catch (\JsonException) {
            $entries = [];
            $found->wrong(0, 'not_a_list');
        }
        foreach ($entries as $index => $entry) {
            $found->look($index + 1, $entry);
        }
        ksort($found->providers, SORT_STRING);
        return [
            'conform' => $found->wrong === 0,
            'entries' => count($entries),
            'r2' => $found->r2,
            'legacy' => $found->legacy,
            'other' => $found->other,
            'providers' => $found->providers === [] ? new \stdClass() : $found->providers,
            'problem_count' => $found->wrong,
            'problems' => $found->problems,
        ];
    }

    private function look(int $number, mixed $entry): void
    {
        $text = static fn (string $name) => is_string($entry->$name ?? null) ? $entry->$name : '';
        if (!$entry instanceof \stdClass) {
            $this->other++;
            $this->wrong($number, 'not_an_object');
        } elseif ($text('source_url') !== '' && $text('r2_url') !== '') {
            $this->r2++;
            $this->provider($text('provider'), $text('source_url'));
            $this->expect($number, 'source_url', Entry::isUrl($text('source_url')));
            $this->expect($number, 'r2_url', Entry::isUrl($text('r2_url')));
            $this->expect($number, 'provider', $text('provider') === Providers::named($text('provider')));
            $this->expect($number, 'created_at', preg_match(self::TIME, $text('created_at')) === 1);
        } elseif ($text('url') !== '') {
            $this->legacy++;
            $this->provider('', $text('url'));
            $this->expect($number, 'url', Entry::isUrl($text('url')));
            $this->expect($number, 'timestamp', preg_match(self::TIME, $text('timestamp')) === 1);
        } else {
            $this->other++;
            $this->wrong($number, 'unknown_format');
        }
    }

    private function provider(string $named, string $link): void
    {
        $name = $named === '' || $named === Providers::UNKNOWN ? Providers::ofLink($link) : $named;
        $this->providers[$name] = ($this->providers[$name] ?? 0) + 1;
    }

    private function expect(int $number, string $field, bool $holds): void
    {
        if (!$holds) {
            $this->wrong($number, "bad_$field");
        }
    }

    private function wrong(int $number, string $problem): void
    {
        $this->wrong++;
        if (count($this->problems) < self::MOST) {
            $this->problems[] = ['entry' => $number, 'problem' => $problem];
        }
    }
}
