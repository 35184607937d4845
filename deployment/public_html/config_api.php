<?php

/**
 * Keeps configuration documents for render-signal. See ../README.md.
 *
 * Everything but this file lies outside the web root.
 */

declare(strict_types=1);

use RenderSignal\ConfigApi\ConfigApi;
use RenderSignal\ConfigApi\Settings;
use RenderSignal\ConfigApi\Storage;
use RenderSignal\Shared\Refusal;
use RenderSignal\Shared\WebRoot;

ini_set('display_errors', '0');
ini_set('log_errors', '1');
// Some hosts still have 17: 0.1 would be stored as 0.10000000000000001.
ini_set('serialize_precision', '-1');
// Whatever is printed by mistake must not get into the answer.
ob_start();

$headers = [
    'Content-Type' => 'application/json; charset=utf-8',
    'Cache-Control' => 'no-store',
    'X-Content-Type-Options' => 'nosniff',
    'X-Frame-Options' => 'DENY',
    'Referrer-Policy' => 'no-referrer',
    'Content-Security-Policy' => "default-src 'none'; frame-ancestors 'none'",
];
try {
    $deployment = dirname(__DIR__);
    require $deployment . '/src/autoload.php';
    $settings = Settings::load($deployment, new WebRoot(__DIR__, $_SERVER['DOCUMENT_ROOT'] ?? ''));
    if (!$settings->client->mayAsk($_SERVER)) {
        throw new Refusal(403, 'Forbidden');
    }
    // Under CGI, Apache hands the header on under the second name.
    $authorization = $_SERVER['HTTP_AUTHORIZATION'] ?? $_SERVER['REDIRECT_HTTP_AUTHORIZATION'] ?? '';
    if (!$settings->authorizes($authorization)) {
        throw new Refusal(401, 'Unauthorized', ['WWW-Authenticate' => 'Bearer realm="config_api"']);
    }
    $api = new ConfigApi(new Storage($settings->storage));
    $status = 200;
    $answer = $api->answer((string) ($_SERVER['REQUEST_METHOD'] ?? ''));
    $headers += $answer->headers;
    $body = $answer->body;
} catch (Refusal $refusal) {
    $status = $refusal->status;
    $headers += $refusal->headers;
    $body = ConfigApi::error($refusal->getMessage());
    error_log("config_api: $status {$refusal->getMessage()}");
} catch (Throwable $error) {
    // Without the trace, in which arguments stand.
    error_log(sprintf('config_api: %s at %s:%d', $error::class, $error->getFile(), $error->getLine()));
    $status = 500;
    $body = '{"success":false,"status":"error","message":"Server error"}';
}
ob_end_clean();
header_remove('X-Powered-By');
http_response_code($status);
foreach ($headers as $name => $value) {
    header("$name: $value");
}
header('Content-Length: ' . strlen($body));
echo $body;
