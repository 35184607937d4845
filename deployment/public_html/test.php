<?php

/**
 * Shows what the list of links holds and what the receiver would make of a webhook, to whoever has
 * DIAGNOSTICS_TOKEN. Records and sends nothing. See ../php/README.md.
 */

declare(strict_types=1);

use RenderSignal\Diagnostics\Desk;
use RenderSignal\Diagnostics\Simulation;
use RenderSignal\Receiver\Settings;
use RenderSignal\Shared\Reply;

ini_set('display_errors', '0');
ini_set('log_errors', '1');

require dirname(__DIR__) . '/src/autoload.php';

Desk::page('test', __DIR__, static function (Desk $desk, array $headers): Reply {
    $links = $desk->report->links();
    $tried = is_string($_POST['webhook'] ?? null) ? substr($_POST['webhook'], 0, Simulation::LONGEST) : '';
    $content = $desk->sections->links($links) . $desk->sections->recent($links) . $desk->html->heading('simulate')
        . '<form method="post"><p><label for="webhook">' . $desk->html->word('simulate_what') . '</label></p>'
        . '<textarea id="webhook" name="webhook" required>' . $desk->html::escaped($tried) . '</textarea>'
        . '<p><button>' . $desk->html->word('simulate') . '</button></p></form>';
    if ($tried !== '') {
        $simulation = new Simulation(Settings::of($desk->environment, $desk->root));
        $content .= $desk->html->heading('result') . $desk->html->json($simulation->of($tried));
    }
    return $desk->html->page('test', $content, 200, $headers);
});
