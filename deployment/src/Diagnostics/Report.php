<?php

declare(strict_types=1);

namespace RenderSignal\Diagnostics;

use RenderSignal\Gmail\OAuthCheck;
use RenderSignal\JsonLogger;
use RenderSignal\Links\LinkList;
use RenderSignal\Receiver\Settings;
use RenderSignal\Receiver\Signature;
use RenderSignal\Shared\Environment;
use RenderSignal\Shared\Refusal;
use RenderSignal\Shared\Trouble;
use RenderSignal\Shared\WebRoot;

/**
 * What there is to say about this host. Settings are there or missing: no value is shown. Addresses
 * of files are capabilities: of them only the host is.
 */
final class Report
{
    private const RECENT = 10;

    public function __construct(private readonly Environment $environment, private readonly WebRoot $root)
    {
    }

    /** @return array<string, mixed> the list of links: whether it can be used, what it holds, its newest entries */
    public function links(): array
    {
        $list = LinkList::of($this->environment, $this->root);
        $trouble = null;
        $content = '';
        $recent = [];
        try {
            $list->check();
            $content = $list->content();
            $recent = array_map(self::shown(...), (new JsonLogger($list))->getRecentLogs(self::RECENT));
        } catch (Trouble $error) {
            $trouble = $error->getMessage();
        } catch (\JsonException) {
            // The conformity says so.
        }
        return [
            'file' => basename($list->path),
            'usable' => $trouble === null,
            'trouble' => $trouble,
            ...Conformity::of($content),
            'archives' => count($list->archives()),
            'recent' => $recent,
        ];
    }

    /** @return array<string, mixed> what is set, and how many webhooks are known */
    public function receiver(): array
    {
        $settings = [];
        foreach (['WEBHOOK_SECRET', 'AUTHORIZED_SENDERS', 'AUTOREPONDEUR_TO', 'RECADRAGE_TO', 'GMAIL_CLIENT_ID', 'GMAIL_CLIENT_SECRET', 'GMAIL_REFRESH_TOKEN', 'GMAIL_FROM_EMAIL', 'GMAIL_OAUTH_CHECK_KEY'] as $name) {
            $settings[$name] = $this->environment->members($name) !== [];
        }
        $trouble = null;
        try {
            Signature::load($this->environment->text('WEBHOOK_SECRET'));
            Settings::of($this->environment, $this->root);
        } catch (Refusal $refusal) {
            $trouble = $refusal->getMessage();
        }
        return [
            'ready' => $trouble === null,
            'trouble' => $trouble,
            'settings' => $settings,
            'receipts' => Settings::receipts($this->environment, $this->root)->count(),
        ];
    }

    /** @return array<string, mixed> the last check of the Gmail account */
    public function gmail(int $now): array
    {
        $check = OAuthCheck::of($this->environment, $this->root);
        $last = $check->files->last();
        $at = $check->files->lastRun();
        $interval = 86_400 * $this->environment->number('GMAIL_OAUTH_CHECK_INTERVAL_DAYS', 7, 0, 366);
        return [
            'configured' => $check->isConfigured(),
            'last_run_ts' => $at,
            'success' => $last === null ? null : ($last['success'] ?? null) === true,
            'message' => is_string($last['message'] ?? null) ? $last['message'] : null,
            'age_seconds' => $at === null ? null : $now - $at,
            // A day more than the schedule asks for.
            'overdue' => $check->isConfigured() && $interval > 0 && ($at === null || $now - $at > $interval + 86_400),
        ];
    }

    /** @return array<string, mixed> what of PHP matters here */
    public static function php(): array
    {
        return [
            'version' => PHP_VERSION,
            'suitable' => PHP_VERSION_ID >= 80_200,
            'openssl' => extension_loaded('openssl'),
            'allow_url_fopen' => filter_var(ini_get('allow_url_fopen'), FILTER_VALIDATE_BOOL),
            'post_max_size' => (string) ini_get('post_max_size'),
            'memory_limit' => (string) ini_get('memory_limit'),
        ];
    }

    /** @return array<string, string> */
    private static function shown(\stdClass $entry): array
    {
        $text = static fn (string $name) => is_string($entry->$name ?? null) ? $entry->$name : '';
        $isCopy = $text('source_url') !== '' && $text('r2_url') !== '';
        $host = static fn (string $url) => (string) parse_url($url, PHP_URL_HOST);
        return [
            'format' => $isCopy ? 'r2' : ($text('url') === '' ? 'other' : 'legacy'),
            'at' => $isCopy ? $text('created_at') : $text('timestamp'),
            'from' => $host($isCopy ? $text('source_url') : $text('url')),
            'to' => $isCopy ? $host($text('r2_url')) : '',
            'provider' => $text('provider'),
            'original_filename' => $text('original_filename'),
        ];
    }
}
