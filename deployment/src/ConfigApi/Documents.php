<?php

declare(strict_types=1);

namespace RenderSignal\ConfigApi;

/**
 * What is wrong with a document that render-signal knows; of others nothing is. It agrees with
 * the program's own checks, but for what only the program can tell: which networks addresses may
 * lie in, whether a regular expression can be used, and what a detector means.
 */
final class Documents
{
    private const NOT_HTTPS = 'webhook_url doit être une URL HTTPS valide.';
    private const BAD_TIME = 'Invalid time format. Use HHhMM or HH:MM (e.g., 11h30, 17:45).';
    private const NOT_A_SWITCH = 'booléen attendu (true ou false)';
    private const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

    /** @var list<string> */
    private array $problems = [];

    private function __construct(private readonly \stdClass $document)
    {
    }

    /** @return list<string> each names its field */
    public static function problems(string $key, \stdClass $document): array
    {
        $check = new self($document);
        match ($key) {
            'polling_config' => $check->polling(),
            'webhook_config' => $check->webhook(),
            'processing_prefs' => $check->preferences(),
            'runtime_flags' => $check->switches(['disable_email_id_dedup', 'allow_custom_webhook_without_links']),
            'routing_rules' => $check->rules(),
            'detectors' => $check->detectors(),
            'providers' => $check->providers(),
            default => null,
        };
        return $check->problems;
    }

    private function polling(): void
    {
        $this->field('active_days', self::isDays(...), 'une liste de jours de 0 (lundi) à 6 est attendue');
        $this->whole('active_start_hour', 0, 23, 'active_start_hour doit être entre 0 et 23.');
        $this->whole('active_end_hour', 0, 24, 'active_end_hour doit être entre 0 et 24.');
        $this->switches(['enable_subject_group_dedup']);
        $this->field('sender_of_interest_for_polling', self::areAddresses(...), 'adresse invalide');
        $this->field('enable_polling', self::isWord(...), self::NOT_A_SWITCH);
        $days = [];
        foreach (['vacation_start', 'vacation_end'] as $name) {
            $days[] = self::day($this->document->$name ?? null);
            $this->field($name, static fn ($value) => self::day($value) !== false, 'invalide (format YYYY-MM-DD).');
        }
        [$start, $end] = $days;
        if (is_string($start) && is_string($end) && $start > $end) {
            $this->problems[] = 'vacation_start doit être <= vacation_end.';
        }
    }

    private function webhook(): void
    {
        $this->field('webhook_url', self::isTarget(...), self::NOT_HTTPS);
        $this->switches(['webhook_ssl_verify', 'webhook_sending_enabled', 'absence_pause_enabled']);
        if (!property_exists($this->document, 'webhook_sending_enabled')) {
            $this->switches(['webhook_enabled']);
        }
        $this->seedWindow();
        foreach (['webhook_time_start', 'webhook_time_end'] as $name) {
            $this->field($name, static fn ($value) => self::time($value) !== false, self::BAD_TIME);
        }
        $start = self::time($this->document->webhook_time_start ?? null);
        if (is_int($start) && $start === self::time($this->document->webhook_time_end ?? null)) {
            $this->problems[] = 'webhook_time_end: aucun webhook ne partirait jamais, le début est le même';
        }
        $days = $this->document->absence_pause_days ?? null;
        $this->field('absence_pause_days', self::areWeekdays(...), 'une liste de monday … sunday est attendue');
        $enabled = $this->document->absence_pause_enabled ?? false;
        if (self::isSwitch($enabled) && (bool) $enabled && ($days === null || $days === [])) {
            $this->problems[] = 'absence_pause_days: Au moins un jour doit être sélectionné pour activer la pause absence.';
        }
        $this->field('ordering', self::isOrdering(...), 'ordering invalide (none|sender|mailbox).');
        $this->field('webhook_body', self::isShare(...), 'body invalide (all|text|none).');
    }

    /** The window as the seed document writes it. */
    private function seedWindow(): void
    {
        $window = $this->document->time_window ?? null;
        if ($window === null) {
            return;
        }
        if (!$window instanceof \stdClass) {
            $this->problems[] = 'time_window: un objet est attendu';
            return;
        }
        foreach (['start_hour' => 23, 'end_hour' => 24] as $name => $last) {
            $hour = property_exists($window, $name) ? self::number($window->$name) : 0.0;
            if ($hour === null || $hour < 0 || $hour > $last) {
                $this->problems[] = "time_window.$name: doit être entre 0 et $last.";
            }
        }
        if (property_exists($window, 'active_days')) {
            $isDay = static fn ($day) => (self::number($day) ?? 0) >= 1 && self::number($day) <= 7;
            $days = $window->active_days;
            if (!is_array($days) || count(array_filter($days, $isDay)) !== count($days)) {
                $this->problems[] = 'time_window.active_days: une liste de jours de 1 (lundi) à 7 est attendue';
            }
        }
    }

    private function preferences(): void
    {
        foreach (['', '_recadrage', '_autorepondeur'] as $of) {
            $name = "exclude_keywords$of";
            $isList = static fn ($value) => is_array($value) && array_filter($value, is_string(...)) === $value;
            $this->field($name, $isList, "$name doit être une liste de chaînes");
        }
        $this->switches(['require_attachments', 'notify_on_failure', 'mirror_media_to_custom']);
        $this->whole('retry_count', 0, 10, 'retry_count hors limites (0..10)');
        $this->whole('retry_delay_sec', 0, 600, 'retry_delay_sec hors limites (0..600)');
        $this->whole('webhook_timeout_sec', 1, 300, 'webhook_timeout_sec hors limites (1..300)');
        $this->whole('rate_limit_per_hour', 0, 100_000, 'rate_limit_per_hour hors limites (0..100000)');
        $isSize = static fn ($value) => $value === null || (self::number($value) ?? 0) > 0;
        $this->field('max_email_size_mb', $isSize, 'max_email_size_mb doit être > 0 ou null');
        $this->field('sender_priority', self::arePriorities(...), 'niveau invalide (high|medium|low)');
    }

    private function rules(): void
    {
        $rules = $this->document->rules ?? [];
        if (!is_array($rules)) {
            $this->problems[] = 'rules doit être une liste.';
            return;
        }
        foreach ($rules as $index => $rule) {
            $conditions = $rule->conditions ?? null;
            $url = $rule->actions->webhook_url ?? null;
            $enabled = $rule->enabled ?? true;
            if (!$rule instanceof \stdClass) {
                $this->problems[] = "rules[$index]: Chaque règle doit être un objet.";
            } elseif (!self::isWord($enabled)) {
                $this->problems[] = "rules[$index].enabled: " . self::NOT_A_SWITCH;
            } elseif (self::isOff($enabled)) {
                // Whatever else is wrong with it does no harm.
                continue;
            } elseif (!is_array($conditions) || $conditions === []) {
                $this->problems[] = "rules[$index].conditions: Chaque règle doit contenir au moins une condition.";
            } elseif (!is_string($url) || trim($url) === '') {
                $this->problems[] = "rules[$index].actions: webhook_url est requis pour chaque règle.";
            } else {
                foreach ($conditions as $number => $condition) {
                    $this->condition("rules[$index].conditions[$number]", $condition);
                }
            }
        }
    }

    private function condition(string $at, mixed $condition): void
    {
        $word = static fn (string $name) => strtolower(trim((string) self::scalar($condition->$name ?? null)));
        if (!in_array($word('field'), ['sender', 'subject', 'body'], true)) {
            $this->problems[] = "$at: Champ de condition invalide.";
        } elseif (!in_array($word('operator'), ['contains', 'equals', 'regex'], true)) {
            $this->problems[] = "$at: Opérateur de condition invalide.";
        } elseif ($word('value') === '') {
            $this->problems[] = "$at: Valeur de condition requise.";
        }
    }

    private function detectors(): void
    {
        $list = $this->document->detectors ?? null;
        if (!is_array($list) || count($list) > 50) {
            $this->problems[] = 'detectors doit être une liste de 50 détecteurs au plus.';
        }
    }

    private function providers(): void
    {
        $list = $this->document->providers ?? null;
        if (!is_array($list) || count($list) > 50) {
            $this->problems[] = 'providers doit être une liste de 50 fournisseurs au plus.';
            return;
        }
        $names = [];
        $hosts = [];
        foreach ($list as $index => $provider) {
            if (!$provider instanceof \stdClass) {
                $this->problems[] = "providers[$index]: un objet JSON est attendu.";
                continue;
            }
            $this->provider("providers[$index]", $provider, $names, $hosts);
        }
    }

    /**
     * @param list<string> $names those that are taken
     * @param list<string> $hosts
     */
    private function provider(string $at, \stdClass $provider, array &$names, array &$hosts): void
    {
        $lists = ['hosts', 'except_hosts', 'fetch_from', 'redirect_to', 'paths', 'except_paths'];
        foreach (array_keys(get_object_vars($provider)) as $name) {
            if (!str_starts_with((string) $name, '_') && !in_array($name, ['name', ...$lists], true)) {
                $this->problems[] = "$at: champ inconnu.";
            }
        }
        $name = $provider->name ?? null;
        if (!is_string($name) || preg_match('/^[a-z0-9._-]{1,64}$/D', $name) !== 1 || in_array($name, $names, true)) {
            $this->problems[] = "$at.name: nom invalide ou déjà pris.";
        }
        $names[] = $name;
        foreach ($lists as $field) {
            $values = $provider->$field ?? [];
            if (!is_array($values) || count($values) > 100) {
                $this->problems[] = "$at.$field: une liste d'au plus 100 textes est attendue.";
                continue;
            }
            if ($values === [] && in_array($field, ['hosts', 'paths'], true)) {
                $this->problems[] = "$at.$field: au moins une valeur est requise.";
            }
            $isGood = str_ends_with($field, 'paths') ? self::isPath(...) : self::isHost(...);
            foreach ($values as $number => $value) {
                $isTaken = $field === 'hosts' && is_string($value) && in_array(strtolower($value), $hosts, true);
                if ($isTaken || !$isGood($value)) {
                    $this->problems[] = "$at.{$field}[$number]: valeur invalide ou déjà prise.";
                }
            }
        }
        $own = is_array($provider->hosts ?? null) ? array_filter($provider->hosts, is_string(...)) : [];
        $hosts = [...$hosts, ...array_map(strtolower(...), array_values($own))];
    }

    /** A name, or `*.` and a name; no address. */
    private static function isHost(mixed $value): bool
    {
        $label = '[a-z0-9_-]{1,63}';
        return is_string($value) && strlen($value) <= 253
            && preg_match("/^(?:\*\.)?(?:$label\.)+(?!0x)(?!\d+$)$label$/Di", $value) === 1;
    }

    private static function isPath(mixed $value): bool
    {
        return is_string($value) && strlen($value) <= 253
            && preg_match('~^/[!-"$-)+->@-\[\]-\~]*\*?$~D', $value) === 1;
    }

    /** @param \Closure(mixed): bool $isGood */
    private function field(string $name, \Closure $isGood, string $message): void
    {
        if (property_exists($this->document, $name) && !$isGood($this->document->$name)) {
            $this->problems[] = str_starts_with($message, $name) ? $message : "$name: $message";
        }
    }

    private function whole(string $name, int $least, int $most, string $message): void
    {
        $isGood = static function (mixed $value) use ($least, $most): bool {
            $number = self::number($value);
            return $number !== null && $number >= $least && $number <= $most;
        };
        $this->field($name, $isGood, $message);
    }

    /** @param list<string> $names */
    private function switches(array $names): void
    {
        foreach ($names as $name) {
            $this->field($name, self::isSwitch(...), self::NOT_A_SWITCH);
        }
    }

    /** A text that is a word for off is on to the reference system, and so is refused. */
    private static function isSwitch(mixed $value): bool
    {
        return $value === null || is_bool($value) || is_int($value) || is_float($value) || $value === ''
            || (is_string($value) && in_array(self::lower($value), ['1', 'true', 'yes', 'y', 'on'], true));
    }

    private static function isWord(mixed $value): bool
    {
        return self::isSwitch($value)
            || (is_string($value) && in_array(self::lower($value), ['', '0', 'false', 'no', 'n', 'off'], true));
    }

    /** Of a word or a switch. */
    private static function isOff(mixed $value): bool
    {
        return is_string($value)
            ? in_array(self::lower($value), ['', '0', 'false', 'no', 'n', 'off'], true)
            : !$value;
    }

    private static function lower(string $text): string
    {
        return strtolower(trim($text));
    }

    /** A whole number as Python's int() reads it; `null` when it is none. */
    private static function number(mixed $value): ?float
    {
        return match (true) {
            is_bool($value), is_int($value) => (float) $value,
            is_float($value) => $value < 0 ? ceil($value) : floor($value),
            is_string($value) && preg_match('/^\s*[+-]?\d+(_\d+)*\s*$/D', $value) === 1
                => (float) str_replace('_', '', trim($value)),
            default => null,
        };
    }

    private static function isDays(mixed $value): bool
    {
        if ($value === null || $value === '') {
            return true;
        }
        $isDay = static fn ($day) => self::number($day) !== null && self::number($day) >= 0 && self::number($day) <= 6;
        return is_array($value) && count(array_filter($value, $isDay)) === count($value);
    }

    private static function areAddresses(mixed $value): bool
    {
        $list = is_string($value) ? explode(',', $value) : ($value ?? []);
        if (!is_array($list)) {
            return false;
        }
        foreach ($list as $address) {
            if (!is_string($address)) {
                return false;
            }
            $address = trim($address);
            if ($address !== '' && preg_match('/^[^@\s]+@[^@\s]+\.[^@\s]+$/Du', $address) !== 1) {
                return false;
            }
        }
        return true;
    }

    /** `YYYY-MM-DD`; `null` = none, `false` = wrong. */
    private static function day(mixed $value): string|false|null
    {
        if ($value === null || (is_string($value) && trim($value) === '')) {
            return null;
        }
        $form = '/^(\d{4})(?:(\d{2})(\d{2})|-(\d{2})-(\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?)$/D';
        if (!is_string($value) || preg_match($form, trim($value), $found) !== 1) {
            return false;
        }
        [$year, $month, $day] = [$found[1], ($found[2] ?? '') ?: $found[4], ($found[3] ?? '') ?: $found[5]];
        return checkdate((int) $month, (int) $day, (int) $year) ? "$year-$month-$day" : false;
    }

    /** Minutes of the day; `null` = not set, `false` = wrong. */
    private static function time(mixed $value): int|false|null
    {
        if ($value === null || (is_string($value) && trim($value) === '')) {
            return null;
        }
        if (!is_string($value) || preg_match('/^(\d{1,2})[h:](\d{2})$/Di', trim($value), $found) !== 1) {
            return false;
        }
        return $found[1] < 24 && $found[2] < 60 ? 60 * (int) $found[1] + (int) $found[2] : false;
    }

    /** Which networks it may lie in is not known here: `http://` is for those alone. */
    private static function isTarget(mixed $value): bool
    {
        if ($value === null || (is_string($value) && trim($value) === '')) {
            return true;
        }
        $parts = is_string($value) ? parse_url(trim($value)) : false;
        $host = trim((string) ($parts['host'] ?? ''), '[]');
        $isLocal = $host === 'localhost' || filter_var($host, FILTER_VALIDATE_IP) !== false;
        return $host !== '' && (($parts['scheme'] ?? '') === 'https' || (($parts['scheme'] ?? '') === 'http' && $isLocal));
    }

    private static function areWeekdays(mixed $value): bool
    {
        $isDay = static fn ($day) => is_string($day) && in_array(self::lower($day), self::DAYS, true);
        return $value === null || (is_array($value) && count(array_filter($value, $isDay)) === count($value));
    }

    private static function isOrdering(mixed $value): bool
    {
        return $value === null || (is_string($value) && in_array(self::lower($value), ['', 'none', 'sender', 'mailbox'], true));
    }

    private static function isShare(mixed $value): bool
    {
        return $value === null || (is_string($value) && in_array(self::lower($value), ['', 'all', 'text', 'none'], true));
    }

    private static function arePriorities(mixed $value): bool
    {
        if ($value === []) {
            return true;
        }
        $isLevel = static fn ($level) => is_string($level) && in_array(self::lower($level), ['high', 'medium', 'low'], true);
        $levels = $value instanceof \stdClass ? get_object_vars($value) : null;
        return $levels !== null && count(array_filter($levels, $isLevel)) === count($levels);
    }

    private static function scalar(mixed $value): string|int|float|bool|null
    {
        return is_scalar($value) ? $value : null;
    }
}
