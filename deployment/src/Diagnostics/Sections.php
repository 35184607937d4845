<?php

declare(strict_types=1);

namespace RenderSignal\Diagnostics;

/** The report, put into words. */
final class Sections
{
    public function __construct(private readonly Html $html, private readonly Words $words)
    {
    }

    /** @param array<string, mixed> $receiver of `Report::receiver` */
    public function receiver(array $receiver): string
    {
        $isReady = $receiver['ready'] === true;
        $page = $this->html->heading('receiver')
            . $this->html->told($isReady, $isReady ? 'receiver_ready' : 'receiver_not_ready', ['why' => self::text($receiver['trouble'])]);
        $rows = [];
        foreach (self::table($receiver['settings']) as $name => $isSet) {
            $rows[] = [(string) $name, $this->words->say($isSet === true ? 'set' : 'unset')];
        }
        return $page . $this->html->table(['setting', 'status'], $rows)
            . '<p>' . $this->html->word('receipts', ['n' => self::text($receiver['receipts'])]) . "</p>\n";
    }

    /** @param array<string, mixed> $php of `Report::php` */
    public function php(array $php): string
    {
        $page = $this->html->heading('php')
            . $this->html->told($php['suitable'] === true, $php['suitable'] === true ? 'php_good' : 'php_old', ['version' => self::text($php['version'])]);
        foreach (['openssl' => 'no_openssl', 'allow_url_fopen' => 'no_fopen'] as $name => $word) {
            $page .= $php[$name] === true ? '' : $this->html->told(false, $word);
        }
        $limits = ['post' => self::text($php['post_max_size']), 'memory' => self::text($php['memory_limit'])];
        return $page . '<p>' . $this->html->word('limits', $limits) . "</p>\n";
    }

    /** @param array<string, mixed> $gmail of `Report::gmail` */
    public function gmail(array $gmail): string
    {
        $page = $this->html->heading('gmail');
        if ($gmail['configured'] !== true) {
            // An installation without automatic mails needs none.
            return $page . '<p>' . $this->html->word('gmail_missing') . "</p>\n";
        }
        if (!is_int($gmail['last_run_ts'])) {
            $page .= $this->html->told(false, 'gmail_never');
        } else {
            $values = ['at' => gmdate('Y-m-d H:i', $gmail['last_run_ts']) . ' UTC', 'why' => self::text($gmail['message'])];
            $page .= $this->html->told($gmail['success'] === true, $gmail['success'] === true ? 'gmail_good' : 'gmail_bad', $values);
        }
        return $page . ($gmail['overdue'] === true ? $this->html->told(false, 'gmail_overdue') : '');
    }

    /** @param array<string, mixed> $links of `Report::links` */
    public function links(array $links): string
    {
        $isUsable = $links['usable'] === true;
        $values = ['file' => self::text($links['file']), 'why' => self::text($links['trouble'])];
        $page = $this->html->heading('links')
            . $this->html->told($isUsable, $isUsable ? 'list_usable' : 'list_unusable', $values)
            . ($links['conform'] === true
                ? $this->html->told(true, 'conform')
                : $this->html->told(false, 'not_conform', ['n' => self::text($links['problem_count'])]));
        foreach (self::table($links['problems']) as $problem) {
            $problem = self::table($problem);
            $what = $this->words->say(self::text($problem['problem'] ?? ''));
            $page .= $this->html->told(false, 'entry_problem', ['n' => self::text($problem['entry'] ?? ''), 'what' => $what]);
        }
        $counts = [];
        foreach (['entries' => 'entries', 'format_r2' => 'r2', 'format_legacy' => 'legacy', 'format_other' => 'other', 'archives' => 'archives'] as $word => $name) {
            $counts[] = [$this->words->say($word), self::text($links[$name])];
        }
        $providers = [];
        foreach (self::table($links['providers']) as $name => $count) {
            $providers[] = [(string) $name, self::text($count)];
        }
        return $page . $this->html->table([], $counts) . $this->html->heading('by_provider') . $this->html->table([], $providers);
    }

    /** @param array<string, mixed> $links of `Report::links` */
    public function recent(array $links): string
    {
        $rows = [];
        foreach (self::table($links['recent']) as $entry) {
            $entry = self::table($entry);
            $rows[] = array_map(static fn ($name) => self::text($entry[$name] ?? ''), ['at', 'format', 'provider', 'from', 'to', 'original_filename']);
        }
        return $this->html->heading('recent') . $this->html->table(['when', 'format', 'provider', 'from', 'to', 'file'], $rows);
    }

    private static function text(mixed $value): string
    {
        return is_scalar($value) ? (string) $value : '';
    }

    /** @return array<mixed> */
    private static function table(mixed $value): array
    {
        return is_array($value) ? $value : ($value instanceof \stdClass ? get_object_vars($value) : []);
    }
}
