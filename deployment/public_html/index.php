<?php

/**
 * Takes the webhooks of render-signal. See ../php/README.md.
 *
 * Everything but these pages lies outside the web root.
 */

declare(strict_types=1);

use RenderSignal\Receiver\Receiver;
use RenderSignal\Receiver\Result;
use RenderSignal\Receiver\Settings;
use RenderSignal\Shared\Page;
use RenderSignal\Shared\Reply;
use RenderSignal\Shared\WebRoot;

ini_set('display_errors', '0');
ini_set('log_errors', '1');
// A webhook that has begun is brought to its end, whether or not its sender still waits.
ignore_user_abort(true);

require dirname(__DIR__) . '/src/autoload.php';

Page::run('receiver', static function (): Reply {
    $root = new WebRoot(__DIR__, $_SERVER['DOCUMENT_ROOT'] ?? '');
    $settings = Settings::of(Settings::environment(dirname(__DIR__)), $root);
    $input = fopen('php://input', 'rb');
    return (new Receiver($settings))->answer($_SERVER, $input === false ? throw new RuntimeException('no body') : $input);
}, Result::refused(...));
