<?php

declare(strict_types=1);

namespace RenderSignal\Shared;

/** What every public page has around it: an answer whatever happens, and no word too many. */
final class Page
{
    private const HEADERS = [
        'Cache-Control' => 'no-store',
        'X-Content-Type-Options' => 'nosniff',
        'X-Frame-Options' => 'DENY',
        'Referrer-Policy' => 'no-referrer',
        'Content-Security-Policy' => "default-src 'none'; frame-ancestors 'none'",
    ];

    /**
     * Answers one request.
     *
     * @param \Closure(): Reply $page
     * @param \Closure(Refusal): Reply $refused
     */
    public static function run(string $name, \Closure $page, \Closure $refused): void
    {
        // Whatever is printed by mistake must not get into the answer.
        ob_start();
        try {
            if (!self::isMeant()) {
                throw new Refusal(404, 'Not found');
            }
            $reply = $page();
        } catch (Refusal $refusal) {
            error_log("$name: {$refusal->status} {$refusal->getMessage()}");
            $reply = $refused($refusal);
        } catch (Trouble $trouble) {
            error_log("$name: {$trouble->getMessage()}");
            $reply = $refused(new Refusal(503, 'Not now', ['Retry-After' => '30']));
        } catch (\Throwable $error) {
            // Without message and trace, in which values stand.
            error_log(sprintf('%s: %s at %s:%d', $name, $error::class, basename($error->getFile()), $error->getLine()));
            $reply = $refused(new Refusal(500, 'Internal server error'));
        }
        ob_end_clean();
        self::send($reply);
    }

    /** A server that finds no such page gives the request to `index.php`: it is not for us. */
    private static function isMeant(): bool
    {
        $path = rawurldecode((string) parse_url((string) ($_SERVER['REQUEST_URI'] ?? ''), PHP_URL_PATH));
        $script = (string) ($_SERVER['SCRIPT_NAME'] ?? '');
        return $path === $script || $path === rtrim(dirname($script), '/') . '/';
    }

    private static function send(Reply $reply): void
    {
        header_remove('X-Powered-By');
        http_response_code($reply->status);
        foreach ($reply->headers + self::HEADERS as $name => $value) {
            header("$name: $value");
        }
        header('Content-Length: ' . strlen($reply->body));
        echo $reply->body;
    }
}
