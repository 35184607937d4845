<?php

declare(strict_types=1);

namespace RenderSignal\Receiver;

use RenderSignal\Gmail\Mail;
use RenderSignal\Shared\Refusal;

/**
 * The automatic mails, in the words of the settings. In a text, `{subject}`, `{start}`, `{end}`,
 * `{delivery_time}` and `{signature}` stand for what the webhook and the settings say; a part in
 * `[…]` is left out when something that it names is empty.
 */
final class Texts
{
    /** Where a webhook names no start. */
    private const NOW = 'maintenant';

    /** @param array<mixed> $texts by kind of mail: a subject and a text */
    public function __construct(private readonly array $texts, private readonly string $signature)
    {
    }

    /** The answer to a webhook about journeys: yes, or yes at once. */
    public function unsubscribe(Webhook $webhook, string $to, string $key): Mail
    {
        $start = $webhook->text('webhooks_time_start');
        return $this->mail($webhook->isUrgent() ? 'unsubscribe_urgent' : 'unsubscribe', $to, $key, [
            'subject' => $webhook->text('subject'),
            'start' => $start === '' ? self::NOW : $start,
            'end' => $webhook->text('webhooks_time_end'),
        ]);
    }

    /** The answer to a webhook about files to be resized. */
    public function resize(Webhook $webhook, string $to, string $key): Mail
    {
        $isUrgent = stripos($webhook->text('subject'), 'urgence') !== false;
        return $this->mail('resize', $to, $key, [
            'subject' => $webhook->text('subject'),
            'delivery_time' => $isUrgent ? '' : $webhook->text('delivery_time'),
        ]);
    }

    /**
     * @param array<string, string> $values
     * @throws Refusal 500 when the settings have no such text
     */
    private function mail(string $kind, string $to, string $key, array $values): Mail
    {
        $template = $this->texts[$kind] ?? null;
        $subject = is_array($template) ? ($template['subject'] ?? null) : null;
        $text = is_array($template) ? ($template['text'] ?? null) : null;
        if (!is_string($subject) || !is_string($text)) {
            throw new Refusal(500, "TEXTS has no subject and text of '$kind'.");
        }
        $values += ['signature' => $this->signature];
        $plain = self::filled($text, $values);
        $escaped = array_map(static fn ($value) => htmlspecialchars($value, ENT_QUOTES | ENT_SUBSTITUTE), $values);
        $html = '<p>' . nl2br(self::filled(htmlspecialchars($text, ENT_NOQUOTES), $escaped)) . '</p>';
        return new Mail($to, self::filled($subject, $values), $plain, $html, "$kind $key");
    }

    /** @param array<string, string> $values */
    private static function filled(string $template, array $values): string
    {
        $optional = static function (array $found) use ($values): string {
            preg_match_all('/\{(\w+)\}/', $found[1], $names);
            $empty = array_filter($names[1], static fn ($name) => ($values[$name] ?? '') === '');
            return $empty === [] ? $found[1] : '';
        };
        $template = (string) preg_replace_callback('/\[([^\[\]]*)\]/', $optional, $template);
        // In one pass: what a value says is no placeholder.
        $pairs = [];
        foreach ($values as $name => $value) {
            $pairs['{' . $name . '}'] = $value;
        }
        return strtr($template, $pairs);
    }
}
