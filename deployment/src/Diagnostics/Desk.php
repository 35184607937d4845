<?php

declare(strict_types=1);

namespace RenderSignal\Diagnostics;

use RenderSignal\Receiver\Settings;
use RenderSignal\Shared\Environment;
use RenderSignal\Shared\Page;
use RenderSignal\Shared\Refusal;
use RenderSignal\Shared\Reply;
use RenderSignal\Shared\WebRoot;

/** What the diagnostics pages share: who may enter, in which language, with which settings. */
final class Desk
{
    public readonly Report $report;
    public readonly Html $html;
    public readonly Sections $sections;

    private function __construct(
        public readonly Environment $environment,
        public readonly WebRoot $root,
        Words $words,
    ) {
        $this->report = new Report($environment, $root);
        $this->html = new Html($words);
        $this->sections = new Sections($this->html, $words);
    }

    /**
     * A page for people who have the token.
     *
     * @param \Closure(self, array<string, string>): Reply $page is given the headers to answer with
     */
    public static function page(string $name, string $publicFolder, \Closure $page): void
    {
        $words = Words::chosen($_GET['lang'] ?? null, $_SERVER);
        Page::run($name, static function () use ($publicFolder, $words, $page): Reply {
            self::refuseOtherMethods();
            $desk = self::of($publicFolder, $words);
            return $page($desk, Door::of($desk->environment)->enter($_SERVER, $_COOKIE, $_POST));
        }, (new Html($words))->refused(...));
    }

    /**
     * The same for programs: answers and refusals are JSON.
     *
     * @param \Closure(self): Reply $page decides itself who may enter
     */
    public static function api(string $name, string $publicFolder, \Closure $page): void
    {
        Page::run($name, static function () use ($publicFolder, $page): Reply {
            self::refuseOtherMethods();
            return $page(self::of($publicFolder, Words::chosen('en', [])));
        }, self::refused(...));
    }

    /** Lets whoever has the token pass. */
    public function enter(): void
    {
        Door::of($this->environment)->enter($_SERVER, $_COOKIE, []);
    }

    public static function refused(Refusal $refusal): Reply
    {
        $fields = ['success' => false, 'message' => $refusal->getMessage(), 'details' => new \stdClass()];
        return Reply::json($refusal->status, $fields, $refusal->headers);
    }

    private static function of(string $publicFolder, Words $words): self
    {
        $root = new WebRoot($publicFolder, $_SERVER['DOCUMENT_ROOT'] ?? '');
        return new self(Settings::environment(dirname($publicFolder)), $root, $words);
    }

    private static function refuseOtherMethods(): void
    {
        if (!in_array($_SERVER['REQUEST_METHOD'] ?? '', ['GET', 'HEAD', 'POST'], true)) {
            throw new Refusal(405, 'Method not allowed', ['Allow' => 'GET, HEAD, POST']);
        }
    }
}
