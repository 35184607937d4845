<?php

/**
 * Tries the Gmail account. See ../php/README.md.
 *
 *   GET                              a page, for whoever has DIAGNOSTICS_TOKEN
 *   POST action=dry-run              asks for a token; for the same
 *   POST action=send [to=ADDRESS]    sends a mail; for the same
 *   POST|GET action=auto-check       what the schedule asks for; for whoever has GMAIL_OAUTH_CHECK_KEY,
 *                                    as `key` or as `Authorization: Bearer`; `force=1` does not ask the schedule
 */

declare(strict_types=1);

use RenderSignal\Diagnostics\CheckPage;
use RenderSignal\Diagnostics\Desk;
use RenderSignal\Shared\Reply;

ini_set('display_errors', '0');
ini_set('log_errors', '1');

require dirname(__DIR__) . '/src/autoload.php';

if (isset($_POST['action']) || isset($_GET['action'])) {
    Desk::api('gmail', __DIR__, static fn (Desk $desk): Reply => (new CheckPage($desk))->act($_POST + $_GET));
} else {
    Desk::page('gmail', __DIR__, static fn (Desk $desk, array $headers): Reply => (new CheckPage($desk))->show($headers));
}
