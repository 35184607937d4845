<?php

declare(strict_types=1);

namespace RenderSignal\Shared;

/** JSON in and out without damage to types: `{}`, `[]`, `1.0` and long numbers stay what they are. */
final class Json
{
    private const FLAGS = JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES
        | JSON_THROW_ON_ERROR;

    /** A number of JSON, where strings have been skipped. */
    private const NUMBER = '/"(?:[^"\\\\]++|\\\\.)*+"(*SKIP)(*FAIL)|-?\d++(?:\.\d++)?+(?:[eE][+-]?\d++)?+/s';

    /** Stands before a number that PHP would change; drawn anew, so that no document can contain it. */
    private readonly string $mark;

    public function __construct()
    {
        $this->mark = 'n' . bin2hex(random_bytes(16)) . ':';
    }

    /** A text without the byte order mark that some editors write before it. */
    public static function text(string $text): string
    {
        return str_starts_with($text, "\xEF\xBB\xBF") ? substr($text, 3) : $text;
    }

    /** Whether a text is one JSON object. */
    public static function isObject(string $text): bool
    {
        return json_decode($text) instanceof \stdClass;
    }

    /**
     * Objects become `stdClass`, lists arrays.
     *
     * @throws \JsonException when it is not JSON
     */
    public function decode(string $text): mixed
    {
        // It has to be JSON before its numbers can be told by their looks.
        json_decode($text, false, 512, JSON_THROW_ON_ERROR);
        $marked = preg_replace_callback(self::NUMBER, $this->protect(...), $text);
        if (!is_string($marked)) {
            throw new \JsonException('numbers: ' . preg_last_error_msg());
        }
        return json_decode($marked, false, 512, JSON_THROW_ON_ERROR);
    }

    /**
     * The text of a value of [`decode`], for people to read.
     *
     * @throws \JsonException
     */
    public function encode(mixed $value): string
    {
        return $this->unmarked(json_encode($value, self::FLAGS | JSON_PRETTY_PRINT));
    }

    private function unmarked(string $marked): string
    {
        return (string) preg_replace('/"' . $this->mark . '([^"]++)"/', '$1', $marked);
    }

    /**
     * The same in one line, as the program writes a value.
     *
     * @throws \JsonException
     */
    public function compact(mixed $value): string
    {
        return $this->unmarked(json_encode($value, self::FLAGS | JSON_UNESCAPED_LINE_TERMINATORS));
    }

    /** One line of what this program says itself. */
    public static function line(mixed $value): string
    {
        return json_encode($value, self::FLAGS | JSON_INVALID_UTF8_SUBSTITUTE);
    }

    /** @param array<string> $found */
    private function protect(array $found): string
    {
        $literal = $found[0];
        $value = json_decode($literal);
        $survives = !(is_float($value) && !is_finite($value)) && json_encode($value, self::FLAGS) === $literal;
        return $survives ? $literal : '"' . $this->mark . $literal . '"';
    }
}
