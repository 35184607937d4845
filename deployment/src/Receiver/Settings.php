<?php

declare(strict_types=1);

namespace RenderSignal\Receiver;

use RenderSignal\Gmail\Account;
use RenderSignal\Links\LinkList;
use RenderSignal\Shared\Environment;
use RenderSignal\Shared\Refusal;
use RenderSignal\Shared\WebRoot;

/** What the operator configured for the receiver. */
final class Settings
{
    private function __construct(
        public readonly Signature $signature,
        public readonly AuthorizedSenders $senders,
        public readonly Texts $texts,
        public readonly Account $account,
        public readonly LinkList $links,
        public readonly Receipts $receipts,
        public readonly string $unsubscribeTo,
        public readonly string $resizeTo,
        public readonly int $longestBody,
    ) {
    }

    /** The settings of this host: environment, data/env.local.php, config/receiver.php. */
    public static function environment(string $deployment): Environment
    {
        $path = $deployment . '/config/receiver.php';
        $file = is_file($path) ? require $path : throw new Refusal(500, 'config/receiver.php is missing.');
        return Environment::load($deployment, is_array($file) ? $file : []);
    }

    /** @throws Refusal 500 when something is missing or cannot be used, 403 when it would be published */
    public static function of(Environment $environment, WebRoot $root): self
    {
        $signature = Signature::load($environment->text('WEBHOOK_SECRET'));
        $senders = new AuthorizedSenders($environment->members('AUTHORIZED_SENDERS'));
        if ($senders->isEmpty()) {
            throw new Refusal(500, 'AUTHORIZED_SENDERS is not configured.');
        }
        return new self(
            $signature,
            $senders,
            new Texts($environment->table('TEXTS'), $environment->text('MAIL_SIGNATURE')),
            Account::of($environment),
            LinkList::of($environment, $root),
            self::receipts($environment, $root),
            $environment->text('AUTOREPONDEUR_TO'),
            $environment->text('RECADRAGE_TO'),
            1_048_576 * $environment->number('WEBHOOK_MAX_BODY_MB', 32, 1, 256),
        );
    }

    public static function receipts(Environment $environment, WebRoot $root): Receipts
    {
        return new Receipts(
            $environment->path('WEBHOOK_RECEIPTS_DIR', 'data/webhook_receipts', $root),
            $environment->number('WEBHOOK_RECEIPTS_DAYS', 30, 4, 3_650),
            $environment->number('WEBHOOK_RECEIPTS_MAX', 20_000, 640, 1_000_000),
        );
    }
}
