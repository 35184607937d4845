<?php

declare(strict_types=1);

namespace RenderSignal\Diagnostics;

use RenderSignal\Gmail\OAuthCheck;
use RenderSignal\Shared\Refusal;
use RenderSignal\Shared\Reply;

/** The page that tries the Gmail account: its answers and their codes. */
final class CheckPage
{
    private const SHORTEST_KEY = 24;

    private readonly OAuthCheck $check;

    public function __construct(private readonly Desk $desk)
    {
        $this->check = OAuthCheck::of($desk->environment, $desk->root);
    }

    /**
     * @param array<mixed> $form
     * @throws Refusal 400 without a known action, 401 and 403 to whoever may not do it
     */
    public function act(#[\SensitiveParameter] array $form): Reply
    {
        $action = $form['action'] ?? '';
        if ($action === 'auto-check') {
            $this->expectKey($form['key'] ?? null);
            $said = $this->check->scheduled(($form['force'] ?? '') === '1', time());
            return $this->reply($said, ($said['skipped'] ?? false) === true);
        }
        if ($action !== 'dry-run' && $action !== 'send') {
            throw new Refusal(400, 'action is none of dry-run, send and auto-check');
        }
        $this->desk->enter();
        if (($_SERVER['REQUEST_METHOD'] ?? '') !== 'POST') {
            throw new Refusal(405, 'Method not allowed', ['Allow' => 'POST']);
        }
        $to = is_string($form['to'] ?? null) ? trim($form['to']) : '';
        if ($to !== '' && filter_var($to, FILTER_VALIDATE_EMAIL) === false) {
            throw new Refusal(400, 'to is no address');
        }
        $outcome = $action === 'send' ? $this->check->send($to) : $this->check->dryRun();
        return $this->reply($outcome->fields(), false);
    }

    /** @param array<string, string> $headers */
    public function show(array $headers): Reply
    {
        $html = $this->desk->html;
        $content = $this->desk->sections->gmail($this->desk->report->gmail(time()));
        $content .= '<form method="post"><input type="hidden" name="action" value="dry-run"><p><button>' . $html->word('dry_run') . '</button></p></form>'
            . '<form method="post"><input type="hidden" name="action" value="send"><p><label for="to">' . $html->word('to_address') . '</label> '
            . '<input id="to" name="to" type="email"> <button>' . $html->word('send') . '</button></p></form>';
        return $html->page('gmail', $content, 200, $headers);
    }

    /**
     * 422 where nothing can be tried as the settings are, 502 where Google did not take it.
     *
     * @param array<string, mixed> $said
     */
    private function reply(array $said, bool $skipped): Reply
    {
        $status = match (true) {
            $said['success'] === true, $skipped => 200,
            !$this->check->isConfigured() => 422,
            default => 502,
        };
        return Reply::json($status, $said);
    }

    private function expectKey(#[\SensitiveParameter] mixed $given): void
    {
        $key = $this->desk->environment->text('GMAIL_OAUTH_CHECK_KEY');
        if (strlen($key) < self::SHORTEST_KEY) {
            throw new Refusal(403, 'GMAIL_OAUTH_CHECK_KEY has fewer than 24 characters, or is not there.');
        }
        $header = $_SERVER['HTTP_AUTHORIZATION'] ?? $_SERVER['REDIRECT_HTTP_AUTHORIZATION'] ?? '';
        if (!is_string($given) && is_string($header) && preg_match('/^Bearer[ \t]+(.*)$/isD', trim($header), $found) === 1) {
            $given = $found[1];
        }
        if (!is_string($given) || !hash_equals(hash('sha256', $key), hash('sha256', $given))) {
            throw new Refusal(403, 'The key is another one.');
        }
    }
}
