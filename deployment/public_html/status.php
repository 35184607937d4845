<?php

/** Says how this host is doing, to whoever has DIAGNOSTICS_TOKEN. See ../php/README.md. */

declare(strict_types=1);

use RenderSignal\Diagnostics\Desk;
use RenderSignal\Diagnostics\Report;
use RenderSignal\Shared\Reply;

ini_set('display_errors', '0');
ini_set('log_errors', '1');

require dirname(__DIR__) . '/src/autoload.php';

Desk::page('status', __DIR__, static function (Desk $desk, array $headers): Reply {
    $content = $desk->sections->receiver($desk->report->receiver())
        . $desk->sections->links($desk->report->links())
        . $desk->sections->gmail($desk->report->gmail(time()))
        . $desk->sections->php(Report::php());
    return $desk->html->page('status', $content, 200, $headers);
});
