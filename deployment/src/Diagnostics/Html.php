<?php

declare(strict_types=1);

namespace RenderSignal\Diagnostics;

use RenderSignal\Shared\Refusal;
use RenderSignal\Shared\Reply;

/** The pages, without script, as HTML. */
final class Html
{
    private const STYLE = <<<'CSS'
        :root { color-scheme: light dark }
        body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem }
        nav a { margin-right: 1rem }
        table { border-collapse: collapse; width: 100% }
        th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8886; overflow-wrap: anywhere }
        .good::before { content: "✓ " }
        .bad { font-weight: bold }
        .bad::before { content: "✗ " }
        textarea { width: 100%; min-height: 8rem; box-sizing: border-box }
        input, button, textarea { font: inherit; padding: .3rem .5rem }
        pre { overflow-x: auto; padding: .5rem; border: 1px solid #8886 }
        CSS;

    public function __construct(private readonly Words $words)
    {
    }

    /**
     * A whole page.
     *
     * @param array<string, string> $headers
     */
    public function page(string $title, string $content, int $status = 200, array $headers = []): Reply
    {
        $nonce = base64_encode(random_bytes(16));
        $language = $this->words->language();
        $other = $this->words->isFrench ? 'en' : 'fr';
        $links = '';
        foreach (['status' => 'status.php', 'test' => 'test.php', 'gmail' => 'GmailOAuthTest.php'] as $name => $page) {
            $links .= "<a href=\"$page?lang=$language\">" . $this->word($name) . '</a>';
        }
        $style = self::STYLE;
        $heading = $this->word($title);
        $otherLanguage = $this->word('other_language');
        $body = <<<HTML
            <!doctype html>
            <html lang="$language">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="robots" content="noindex">
            <title>$heading</title>
            <style nonce="$nonce">
            $style
            </style>
            </head>
            <body>
            <header><nav>$links<a href="?lang=$other" lang="$other">$otherLanguage</a></nav></header>
            <main>
            <h1>$heading</h1>
            $content
            </main>
            </body>
            </html>

            HTML;
        $policy = "default-src 'none'; style-src 'nonce-$nonce'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
        $headers += ['Content-Type' => 'text/html; charset=utf-8', 'Content-Security-Policy' => $policy, 'Content-Language' => $language];
        return new Reply($status, $body, $headers);
    }

    /** The page for somebody who may not enter, or where nothing can be shown. */
    public function refused(Refusal $refusal): Reply
    {
        if ($refusal->status !== 401) {
            $why = $refusal->status === 403 ? $this->words->say('forbidden') : $refusal->getMessage();
            return $this->page('failed', $this->line(false, $why), $refusal->status, $refusal->headers);
        }
        $form = $this->line(false, $this->words->say('wrong_token'))
            . '<form method="post"><p><label for="token">' . $this->word('token') . '</label><br>'
            . '<input id="token" name="token" type="password" autocomplete="current-password" required>'
            . ' <button>' . $this->word('open') . '</button></p></form>';
        return $this->page('sign_in', $form, 401, $refusal->headers);
    }

    /** @param array<string, string|int> $values */
    public function word(string $name, array $values = []): string
    {
        return self::escaped($this->words->say($name, $values));
    }

    public function heading(string $name): string
    {
        return '<h2>' . $this->word($name) . "</h2>\n";
    }

    /** A sentence that says whether something is well. */
    public function line(bool $good, string $text): string
    {
        return '<p class="' . ($good ? 'good' : 'bad') . '">' . self::escaped($text) . "</p>\n";
    }

    /** @param array<string, string|int> $values */
    public function told(bool $good, string $name, array $values = []): string
    {
        return $this->line($good, $this->words->say($name, $values));
    }

    /**
     * @param list<string> $titles names of words
     * @param list<list<string>> $rows texts
     */
    public function table(array $titles, array $rows): string
    {
        if ($rows === []) {
            return '<p>' . $this->word('none') . "</p>\n";
        }
        $cells = static fn (array $texts, string $tag) => '<tr>' . implode('', array_map(static fn ($text) => "<$tag>$text</$tag>", $texts)) . "</tr>\n";
        $head = $titles === [] ? '' : '<thead>' . $cells(array_map(fn ($title) => $this->word($title), $titles), 'th scope="col"') . '</thead>';
        $head = str_replace('</th scope="col">', '</th>', $head);
        $body = implode('', array_map(static fn ($row) => $cells(array_map(self::escaped(...), $row), 'td'), $rows));
        return "<table>$head<tbody>\n$body</tbody></table>\n";
    }

    /** What a program would be answered. */
    public function json(mixed $value): string
    {
        $text = (string) json_encode($value, JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
        return '<pre>' . self::escaped($text) . "</pre>\n";
    }

    public static function escaped(string $text): string
    {
        return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5);
    }
}
