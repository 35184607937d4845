<?php

/**
 * The same as test.php and status.php for programs, as JSON: GET answers the report, POST what the
 * receiver would make of the webhook in the body. Records and sends nothing. See ../php/README.md.
 */

declare(strict_types=1);

use RenderSignal\Diagnostics\Desk;
use RenderSignal\Diagnostics\Report;
use RenderSignal\Diagnostics\Simulation;
use RenderSignal\Receiver\Settings;
use RenderSignal\Shared\Reply;

ini_set('display_errors', '0');
ini_set('log_errors', '1');

require dirname(__DIR__) . '/src/autoload.php';

Desk::api('test-direct', __DIR__, static function (Desk $desk): Reply {
    $desk->enter();
    if ($_SERVER['REQUEST_METHOD'] === 'POST') {
        $body = (string) file_get_contents('php://input', false, null, 0, Simulation::LONGEST);
        $said = (new Simulation(Settings::of($desk->environment, $desk->root)))->of($body);
        return Reply::json($said['success'] === true ? 200 : 422, $said);
    }
    $report = [
        'links' => $desk->report->links(),
        'receiver' => $desk->report->receiver(),
        'gmail' => $desk->report->gmail(time()),
        'php' => Report::php(),
    ];
    return Reply::json(200, ['success' => true] + $report);
});
