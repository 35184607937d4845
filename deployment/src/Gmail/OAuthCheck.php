<?php

declare(strict_types=1);

namespace RenderSignal\Gmail;

use RenderSignal\Shared\Environment;
use RenderSignal\Shared\Refusal;
use RenderSignal\Shared\WebRoot;

/** Tries the Gmail account: a token, a mail, or what the schedule asks for. */
final class OAuthCheck
{
    private function __construct(
        private readonly Account $account,
        public readonly CheckFiles $files,
        private readonly int $intervalDays,
        private readonly string $scheduledTo,
        private readonly string $usualTo,
    ) {
    }

    /** @throws Refusal when a setting cannot be used */
    public static function of(Environment $environment, WebRoot $root): self
    {
        $account = Account::of($environment);
        return new self(
            $account,
            new CheckFiles($environment->path('GMAIL_OAUTH_CHECK_DIR', 'data', $root)),
            $environment->number('GMAIL_OAUTH_CHECK_INTERVAL_DAYS', 7, 0, 366),
            $environment->text('GMAIL_OAUTH_TEST_TO'),
            $environment->text('AUTOREPONDEUR_TO', $account->from),
        );
    }

    /** Only asks for a token. */
    public function dryRun(): Outcome
    {
        return $this->unconfigured() ?? (new Gmail($this->account))->token();
    }

    /** Sends a mail that says what it is. */
    public function send(string $to = ''): Outcome
    {
        $unconfigured = $this->unconfigured();
        if ($unconfigured !== null) {
            return $unconfigured;
        }
        $to = $to === '' ? $this->usualTo : $to;
        $text = "Ce message vérifie que les envois par Gmail fonctionnent.\n\nThis message checks that sending through Gmail works.";
        $html = '<p>' . str_replace("\n\n", '</p><p>', $text) . '</p>';
        $mail = new Mail($to, 'Gmail : essai / test', $text, $html, 'check ' . bin2hex(random_bytes(8)));
        return $mail->hasRecipients() ? (new Gmail($this->account))->send($mail) : Outcome::failure('The recipient is no address');
    }

    /**
     * What the schedule asks for: a check when the last one is old enough, and its record. With
     * an interval of 0 days it asks for none.
     *
     * @return array<string, mixed> the answer, with `success` of this check or, where none is due, of the last
     */
    public function scheduled(bool $force, int $now): array
    {
        return $this->files->alone(fn () => $this->scheduledAlone($force, $now))
            ?? ['success' => true, 'skipped' => true, 'message' => 'A check is running', 'details' => new \stdClass()];
    }

    /** Whether nothing can be checked, as the settings are. */
    public function isConfigured(): bool
    {
        return $this->account->isConfigured();
    }

    /** @return array<string, mixed> */
    private function scheduledAlone(bool $force, int $now): array
    {
        $last = $this->files->lastRun();
        $next = $last === null ? $now : $last + 86_400 * $this->intervalDays;
        // A clock that was ahead once must not put checks off for years.
        $isEarly = $last !== null && $last <= $now && $now < $next;
        if (!$force && ($isEarly || $this->intervalDays === 0)) {
            return [
                'success' => $last === null || ($this->files->last()['success'] ?? false) === true,
                'skipped' => true,
                'message' => 'No check is due',
                'details' => ['last_run_ts' => $last, 'next_run_ts' => $this->intervalDays === 0 ? null : $next],
            ];
        }
        $outcome = $this->scheduledTo === '' ? $this->dryRun() : $this->send($this->scheduledTo);
        $at = ['last_run_ts' => $now, 'last_run' => gmdate('Y-m-d\TH:i:sP', $now)];
        $this->files->keep([...$at, ...$outcome->fields()]);
        return [...$outcome->fields(), ...$at];
    }

    private function unconfigured(): ?Outcome
    {
        $missing = $this->account->missing();
        return $missing === [] ? null : Outcome::failure('Gmail OAuth not configured', ['missing' => $missing]);
    }
}
