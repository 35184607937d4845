<?php

declare(strict_types=1);

namespace RenderSignal\Receiver;

use RenderSignal\Gmail\Gmail;
use RenderSignal\Gmail\Mail;
use RenderSignal\JsonLogger;
use RenderSignal\Shared\Json;
use RenderSignal\Shared\Refusal;
use RenderSignal\Shared\Reply;

/**
 * Takes webhooks: signature first, then who the mail is from, then the links are recorded, and
 * then an automatic mail is sent. A webhook that comes again is answered as before; one that failed
 * goes on where it stopped.
 */
final class Receiver
{
    /** The program waits 30 s: what Google takes longer for comes to its end at the next attempt. */
    private const HURRY = 0.4;

    public function __construct(private readonly Settings $settings)
    {
    }

    /**
     * The answer to a request.
     *
     * @param array<mixed> $server the request, as `$_SERVER` has it
     * @param resource $input its body
     * @throws Refusal
     */
    public function answer(array $server, $input): Reply
    {
        $method = $server['REQUEST_METHOD'] ?? '';
        if ($method === 'GET' || $method === 'HEAD') {
            return new Reply(200, '', ['Content-Type' => 'text/plain; charset=utf-8']);
        }
        if ($method !== 'POST') {
            throw new Refusal(405, 'Method not allowed', ['Allow' => 'GET, HEAD, POST']);
        }
        $body = $this->body($server, $input);
        $id = $this->settings->signature->verify($server, $body, time());
        $fields = json_decode(Json::text($body), true);
        if (json_last_error() !== JSON_ERROR_NONE) {
            throw new Refusal(400, 'Invalid JSON data');
        }
        return $this->once($id, $fields);
    }

    /** @param array<mixed> $server
     * @param resource $input
     */
    private function body(array $server, $input): string
    {
        $most = $this->settings->longestBody;
        $said = is_numeric($server['CONTENT_LENGTH'] ?? null) ? (int) $server['CONTENT_LENGTH'] : 0;
        $body = $said > $most ? '' : (string) stream_get_contents($input, $most + 1);
        if (max($said, strlen($body)) > $most) {
            throw new Refusal(413, 'The webhook is too long: see WEBHOOK_MAX_BODY_MB.');
        }
        return $body;
    }

    /** What a webhook comes to, the first time it comes. */
    private function once(string $id, mixed $fields): Reply
    {
        $receipt = $this->settings->receipts->open($id);
        try {
            $before = $receipt->get('answer');
            if (is_array($before)) {
                return Reply::json(200, $before, ['X-Webhook-Duplicate' => 'true']);
            }
            $result = $this->process(Webhook::of($fields), $receipt, $id);
            if ($result->success) {
                $receipt->note(['answer' => $result->fields()]);
            }
            return $result->reply();
        } finally {
            $receipt->close();
        }
    }

    private function process(?Webhook $webhook, Receipt $receipt, string $id): Result
    {
        if ($webhook === null) {
            return Result::failure('Invalid webhook data');
        }
        foreach ($webhook->senders() as $sender) {
            if ($sender === null || $sender === '') {
                return Result::failure('Could not extract sender email');
            }
            if (!$this->settings->senders->isAuthorized($sender)) {
                return Result::failure("Sender not authorized: $sender");
            }
        }
        $urls = $webhook->urls();
        $logged = $this->record($webhook, $urls, $receipt);
        return match ($webhook->detector()) {
            Webhook::UNSUBSCRIBE => $this->mailed('AUTOREPONDEUR', $this->settings->unsubscribeTo, $receipt, [], $logged, fn (string $to) => $this->settings->texts->unsubscribe($webhook, $to, $id)),
            Webhook::RESIZE => $this->mailed('RECADRAGE', $this->settings->resizeTo, $receipt, $urls, $logged, fn (string $to) => $this->settings->texts->resize($webhook, $to, $id)),
            default => self::recorded($urls, $logged),
        };
    }

    /**
     * Records the links, whatever becomes of the mail. The entries have the time of the receipt,
     * so that they are not made a second time when the note of it was lost in a crash.
     *
     * @param list<string> $urls
     * @return array{r2: int, legacy: int}
     */
    private function record(Webhook $webhook, array $urls, Receipt $receipt): array
    {
        $before = $receipt->get('links');
        if (is_array($before) && is_int($before['r2'] ?? null) && is_int($before['legacy'] ?? null)) {
            return ['r2' => $before['r2'], 'legacy' => $before['legacy']];
        }
        $links = $webhook->links() === [] ? $urls : $webhook->links();
        $logger = new JsonLogger($this->settings->links, $receipt->at());
        $logged = $logger->logDeliveryLinkPairs($links, $webhook->emailId());
        $receipt->note(['links' => $logged]);
        return $logged;
    }

    /**
     * @param list<string> $urls
     * @param array{r2: int, legacy: int} $logged
     */
    private static function recorded(array $urls, array $logged): Result
    {
        if ($urls === []) {
            return Result::failure('No delivery links found');
        }
        // The number is that of the links without a copy, as receivers of this answer know it.
        $message = "Successfully processed {$logged['legacy']} delivery link(s)";
        return new Result(true, $message, $urls, [], $logged['r2'] > 0 ? $logged['r2'] : null);
    }

    /**
     * @param list<string> $urls
     * @param array{r2: int, legacy: int} $logged
     * @param \Closure(string): Mail $compose
     */
    private function mailed(string $kind, string $to, Receipt $receipt, array $urls, array $logged, \Closure $compose): Result
    {
        if ($to === '') {
            return Result::failure("{$kind}_TO not configured", ["Missing env {$kind}_TO"]);
        }
        if (!$this->settings->account->isConfigured()) {
            return Result::failure('Gmail OAuth not configured', ['Missing GMAIL_CLIENT_* or GMAIL_FROM_* env variables']);
        }
        if ($receipt->get('mail') !== 'sent') {
            $mail = $compose($to);
            if (!$mail->hasRecipients()) {
                return Result::failure("{$kind}_TO is no address", ["Invalid env {$kind}_TO"]);
            }
            $outcome = (new Gmail($this->settings->account, self::HURRY))->send($mail);
            if (!$outcome->success) {
                error_log("receiver: $kind: {$outcome->message}");
                return Result::failure("Failed to send $kind email", [$outcome->message]);
            }
            $receipt->note(['mail' => 'sent'] + array_filter($outcome->details, is_string(...)));
        }
        $message = "$kind email sent successfully";
        if ($kind === 'RECADRAGE') {
            $message .= '; ' . count($urls) . ' delivery link(s) logged';
        }
        return new Result(true, $message, $urls, [], $logged['r2'] > 0 && $urls !== [] ? $logged['r2'] : null);
    }
}
