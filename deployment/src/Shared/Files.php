<?php

declare(strict_types=1);

namespace RenderSignal\Shared;

/**
 * Files of ours: for us alone unless configured otherwise, replaced whole, and never written
 * through a link that somebody else has put there. The program keeps to the same rules.
 */
final class Files
{
    public const FOR_US_ALONE = 0600;

    /** Shorter than the 30 s after which the program gives up on an answer. */
    private const LOCK_SECONDS = 5.0;

    /** The file that a configured path means: a link of the operator's is followed. */
    public static function resolve(string $path): string
    {
        for ($links = 0; is_link($path); $links++) {
            $owner = (int) (@lstat($path)['uid'] ?? -1);
            $ours = function_exists('posix_geteuid') ? posix_geteuid() : getmyuid();
            if ($links === 40 || !in_array($owner, [0, $ours], true)) {
                throw new Trouble("$path is a symbolic link of another user and is not followed");
            }
            $next = (string) readlink($path);
            $path = str_starts_with($next, '/') ? $next : dirname($path) . "/$next";
        }
        return $path;
    }

    /** Makes a folder; who may read its files may enter it. */
    public static function makeFolder(string $folder, int $mode = self::FOR_US_ALONE): void
    {
        $mode = 0700 | ($mode & 0077) | (($mode & 0044) >> 2);
        // Another request may make it at the same time.
        if (!is_dir($folder) && !@mkdir($folder, $mode, true) && !is_dir($folder)) {
            throw new Trouble("$folder cannot be made");
        }
    }

    /** Replaces a file: a reader sees the old content or the new one, whenever a writer is killed. */
    public static function replace(string $path, string $content, int $mode): void
    {
        $path = self::resolve($path);
        $temporary = dirname($path) . '/.' . substr(basename($path), 0, 32) . '.' . bin2hex(random_bytes(6)) . '.tmp';
        self::create($temporary, $content, $mode);
        if (!@rename($temporary, $path)) {
            @unlink($temporary);
            throw new Trouble("$path cannot be replaced");
        }
    }

    /** Makes a file that must not be there yet; what it holds is on the disk when this returns. */
    public static function create(string $path, string $content, int $mode): void
    {
        $before = umask(0077);
        try {
            $file = @fopen($path, 'xb');
        } finally {
            umask($before);
        }
        if ($file === false) {
            throw new Trouble("$path cannot be made");
        }
        $isWritten = @fwrite($file, $content) === strlen($content) && fflush($file) && @fsync($file);
        if (!fclose($file) || !$isWritten || !@chmod($path, $mode)) {
            @unlink($path);
            throw new Trouble("$path cannot be written");
        }
    }

    /**
     * Opens a file for reading and writing, made when there is none, and locks it.
     *
     * @return resource
     * @throws Trouble when somebody else has it for too long
     */
    public static function lock(string $path, int $mode = self::FOR_US_ALONE)
    {
        $deadline = microtime(true) + self::LOCK_SECONDS;
        do {
            $file = self::open($path, $mode);
            if (!self::waitFor($file, $deadline)) {
                fclose($file);
                throw new Trouble("$path is locked by somebody else");
            }
            // Whoever had it may have removed or replaced it.
            if (self::isAt($file, $path)) {
                return $file;
            }
            fclose($file);
        } while (microtime(true) < $deadline);
        throw new Trouble("$path is replaced again and again");
    }

    /**
     * Whether a lock was to be had before the deadline.
     *
     * @param resource $file
     */
    public static function waitFor($file, ?float $deadline = null): bool
    {
        $deadline ??= microtime(true) + self::LOCK_SECONDS;
        while (!flock($file, LOCK_EX | LOCK_NB)) {
            if (microtime(true) >= $deadline) {
                return false;
            }
            usleep(5_000);
        }
        return true;
    }

    /**
     * Whether an open file is the one that has this path now.
     *
     * @param resource $file
     */
    public static function isAt($file, string $path): bool
    {
        clearstatcache(true, $path);
        $there = @lstat($path);
        $ours = fstat($file);
        return $there !== false && $ours !== false && [$there['dev'], $there['ino']] === [$ours['dev'], $ours['ino']];
    }

    /**
     * Puts content in the place of what an open file holds, or behind it.
     *
     * @param resource $file
     */
    public static function write($file, string $content, bool $behind = false): void
    {
        $isReady = $behind ? fseek($file, 0, SEEK_END) === 0 : ftruncate($file, 0) && rewind($file);
        if (!$isReady || @fwrite($file, $content) !== strlen($content) || !fflush($file) || !@fsync($file)) {
            throw new Trouble('a file cannot be written');
        }
    }

    /** @return resource */
    private static function open(string $path, int $mode)
    {
        $before = umask(0777 & ~($mode | 0600));
        try {
            $file = is_link($path) ? false : @fopen($path, 'c+b');
        } finally {
            umask($before);
        }
        if ($file === false) {
            throw new Trouble("$path cannot be opened: it is a link, or belongs to another user");
        }
        if ((fstat($file)['nlink'] ?? 2) > 1) {
            fclose($file);
            throw new Trouble("$path has a second name, which may be somebody's");
        }
        return $file;
    }
}
