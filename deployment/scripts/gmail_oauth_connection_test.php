<?php

/**
 * Tries the Gmail account from a shell or from cron. See ../php/README.md.
 *
 *   php gmail_oauth_connection_test.php --dry-run            only asks for a token
 *   php gmail_oauth_connection_test.php [--to ADDRESS]       sends a mail
 *   php gmail_oauth_connection_test.php --auto-check [--force]
 *                                                            what the schedule asks for, and its record
 *
 * Prints what has come of it as JSON, without secrets; ends with 0 when it went well, with 1 otherwise.
 */

declare(strict_types=1);

use RenderSignal\Gmail\OAuthCheck;
use RenderSignal\Gmail\Outcome;
use RenderSignal\Receiver\Settings;
use RenderSignal\Shared\Refusal;
use RenderSignal\Shared\Trouble;
use RenderSignal\Shared\WebRoot;

if (PHP_SAPI !== 'cli') {
    http_response_code(404);
    exit(1);
}
ini_set('display_errors', 'stderr');
require dirname(__DIR__) . '/src/autoload.php';

$words = array_slice($argv, 1);
$to = null;
if (($words[0] ?? '') === '--to' && count($words) === 2) {
    $to = $words[1];
    $words = [];
}
$isMeant = in_array($words, [[], ['--dry-run'], ['--auto-check'], ['--auto-check', '--force']], true);
try {
    if (!$isMeant) {
        throw new Refusal(400, 'Usage: gmail_oauth_connection_test.php [--dry-run | --to ADDRESS | --auto-check [--force]]');
    }
    $deployment = dirname(__DIR__);
    $check = OAuthCheck::of(Settings::environment($deployment), new WebRoot("$deployment/public_html", ''));
    $said = match ($words[0] ?? '') {
        '--auto-check' => $check->scheduled(count($words) === 2, time()),
        '--dry-run' => $check->dryRun()->fields(),
        default => $check->send($to ?? '')->fields(),
    };
} catch (Refusal | Trouble $trouble) {
    $said = Outcome::failure($trouble->getMessage())->fields();
} catch (Throwable $error) {
    // Without message and trace, in which values stand.
    $said = Outcome::failure('Internal error: ' . $error::class)->fields();
}
echo json_encode($said, JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
exit($said['success'] === true ? 0 : 1);
