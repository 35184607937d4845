<?php

declare(strict_types=1);

namespace RenderSignal\Gmail;

/** A mail to send, and its form on the wire. */
final class Mail
{
    /** Bytes of text in one encoded word: RFC 2047 allows 75 with what is around them. */
    private const WORD = 42;

    /**
     * @param string $to one address, or several with commas
     * @param string $key what makes it this mail: with the same key it has the same Message-ID, by
     *     which a mailbox can tell a mail that was sent twice
     */
    public function __construct(
        public readonly string $to,
        public readonly string $subject,
        public readonly string $text,
        public readonly string $html,
        private readonly string $key,
    ) {
    }

    /** Every address that it goes to is one. */
    public function hasRecipients(): bool
    {
        $addresses = array_map(trim(...), explode(',', $this->to));
        return array_filter($addresses, static fn ($one) => filter_var($one, FILTER_VALIDATE_EMAIL) === false) === [];
    }

    /** The source of the mail after RFC 5322, in ASCII. */
    public function source(string $from, string $name, \DateTimeImmutable $at): string
    {
        $boundary = 'part-' . substr(hash('sha256', "boundary {$this->key}"), 0, 32);
        $domain = substr((string) strrchr($from, '@'), 1);
        $head = [
            'From: ' . ($name === '' || $name === $from ? $from : self::name($name) . " <$from>"),
            'To: ' . self::line($this->to),
            'Subject: ' . self::words($this->subject),
            'Date: ' . $at->format(\DATE_RFC2822),
            'Message-ID: <' . substr(hash('sha256', $this->key), 0, 32) . "@$domain>",
            'Auto-Submitted: auto-generated',
            'MIME-Version: 1.0',
            "Content-Type: multipart/alternative; boundary=\"$boundary\"",
        ];
        $parts = '';
        foreach (['plain' => $this->text, 'html' => $this->html] as $kind => $content) {
            $parts .= "--$boundary\r\nContent-Type: text/$kind; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                . chunk_split(base64_encode($content));
        }
        return implode("\r\n", $head) . "\r\n\r\n$parts--$boundary--\r\n";
    }

    private static function name(string $name): string
    {
        $name = self::line($name);
        $isPlain = preg_match('/^[\x20-\x7e]*$/D', $name) === 1;
        return $isPlain ? '"' . addcslashes($name, '"\\') . '"' : self::words($name);
    }

    /** A text for a header; nothing in it begins another header. */
    private static function words(string $text): string
    {
        $text = self::line($text);
        if (preg_match('/^[\x20-\x7e]{0,200}$/D', $text) === 1 && !str_contains($text, '=?')) {
            return $text;
        }
        $words = [];
        $word = '';
        foreach (preg_split('//u', $text, -1, PREG_SPLIT_NO_EMPTY) ?: [] as $character) {
            if (strlen($word . $character) > self::WORD) {
                $words[] = $word;
                $word = '';
            }
            $word .= $character;
        }
        $words[] = $word;
        return implode("\r\n ", array_map(static fn ($word) => '=?UTF-8?B?' . base64_encode($word) . '?=', $words));
    }

    private static function line(string $text): string
    {
        return trim((string) preg_replace('/[\x00-\x1f\x7f]+/', ' ', $text));
    }
}
