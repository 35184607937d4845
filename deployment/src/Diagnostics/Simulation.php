<?php

declare(strict_types=1);

namespace RenderSignal\Diagnostics;

use RenderSignal\Links\Providers;
use RenderSignal\Receiver\Settings;
use RenderSignal\Receiver\Webhook;
use RenderSignal\Shared\Json;

/** What the receiver would make of a webhook. Nothing is recorded and nothing is sent. */
final class Simulation
{
    /** Longer ones are no examples. */
    public const LONGEST = 1_048_576;

    public function __construct(private readonly Settings $settings)
    {
    }

    /**
     * @param string $body the webhook, or the text of a mail
     * @return array<string, mixed>
     */
    public function of(string $body): array
    {
        $fields = json_decode(Json::text($body), true);
        // Whoever tries a text wants to see its links.
        $webhook = Webhook::of(is_array($fields) ? $fields : ['subject' => '', 'sender_email' => '-', 'email_content' => $body]);
        if ($webhook === null) {
            return ['success' => false, 'message' => 'Invalid webhook data'];
        }
        $senders = is_array($fields) ? $webhook->senders() : [];
        $authorized = array_filter($senders, fn (?string $one) => $this->settings->senders->isAuthorized($one));
        return [
            'success' => count($authorized) === count($senders),
            'message' => 'Simulation',
            'senders' => $senders,
            'authorized' => count($authorized) === count($senders),
            'links' => array_map(self::link(...), $webhook->urls()),
            'mail' => $this->mail($webhook),
        ];
    }

    /** @return array{url: string, provider: string} */
    private static function link(string $url): array
    {
        return ['url' => $url, 'provider' => Providers::ofLink($url)];
    }

    /** @return array<string, mixed>|null the automatic mail, if there would be one */
    private function mail(Webhook $webhook): ?array
    {
        $mail = match ($webhook->detector()) {
            Webhook::UNSUBSCRIBE => $this->settings->texts->unsubscribe($webhook, $this->settings->unsubscribeTo, ''),
            Webhook::RESIZE => $this->settings->texts->resize($webhook, $this->settings->resizeTo, ''),
            default => null,
        };
        return $mail === null ? null : [
            'to' => $mail->to,
            'subject' => $mail->subject,
            'text' => $mail->text,
            'can_be_sent' => $mail->to !== '' && $mail->hasRecipients() && $this->settings->account->isConfigured(),
        ];
    }
}
