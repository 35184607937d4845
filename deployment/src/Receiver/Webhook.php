<?php

declare(strict_types=1);

namespace RenderSignal\Receiver;

use RenderSignal\Links\LinkFinder;

/** What a webhook says. */
final class Webhook
{
    public const UNSUBSCRIBE = 'desabonnement_journee_tarifs';
    public const RESIZE = 'recadrage';

    /** @param array<mixed> $fields */
    private function __construct(private readonly array $fields)
    {
    }

    /** `null` when it has not the shape of one. */
    public static function of(mixed $fields): ?self
    {
        if (!is_array($fields)) {
            return null;
        }
        $webhook = new self($fields);
        $hasSender = $webhook->text('sender_address') !== '' || $webhook->text('sender_email') !== '';
        $says = $webhook->text('receivedDateTime') !== '' || $webhook->text('email_content') !== ''
            || $webhook->links() !== [] || in_array($webhook->detector(), [self::UNSUBSCRIBE, self::RESIZE], true);
        return is_string($fields['subject'] ?? null) && $hasSender && $says ? $webhook : null;
    }

    /** A field that is a text; empty when it is none. */
    public function text(string $name): string
    {
        $value = $this->fields[$name] ?? null;
        return is_string($value) ? $value : '';
    }

    public function detector(): string
    {
        return $this->text('detector');
    }

    public function emailId(): ?string
    {
        $id = $this->text('microsoft_graph_email_id');
        return $id === '' ? null : $id;
    }

    /**
     * Whom the mail is from, as the header says and as the program has read it.
     *
     * @return list<?string> `null` where a header does not tell
     */
    public function senders(): array
    {
        $senders = [];
        if ($this->text('sender_address') !== '') {
            $senders[] = SenderAddress::of($this->text('sender_address'));
        }
        if ($this->text('sender_email') !== '') {
            $senders[] = SenderAddress::of($this->text('sender_email'));
        }
        return $senders;
    }

    /** @return list<mixed> the links as the program sends them */
    public function links(): array
    {
        $links = $this->fields['delivery_links'] ?? null;
        return is_array($links) ? array_values($links) : [];
    }

    /**
     * The links, each once; those of the text when the webhook names none.
     *
     * @return list<string>
     */
    public function urls(): array
    {
        $urls = [];
        foreach ($this->links() as $link) {
            $url = is_array($link) ? ($link['raw_url'] ?? null) : $link;
            if (is_string($url) && trim($url) !== '') {
                $urls[trim($url)] = trim($url);
            }
        }
        return $urls !== [] ? array_values($urls) : LinkFinder::all($this->text('email_content'));
    }

    /** Whether the subject or the text says that it is urgent. */
    public function isUrgent(): bool
    {
        return stripos($this->text('email_content') . ' ' . $this->text('Text'), 'urgent') !== false;
    }
}
