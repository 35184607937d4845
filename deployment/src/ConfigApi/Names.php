<?php

declare(strict_types=1);

namespace RenderSignal\ConfigApi;

/**
 * The names that a document of render-signal may have, at every depth. A name that nobody reads
 * would be a setting that does nothing: whoever writes one is told, and the nearest known name
 * with it. Names that begin with `_` are notes. The program has the same list, and both are run
 * against the same table of documents.
 */
final class Names
{
    private const CONDITION = ['field' => null, 'operator' => null, 'value' => null, 'case_sensitive' => null];
    private const ACTIONS = ['webhook_url' => null, 'priority' => null, 'stop_processing' => null, 'ordering' => null, 'body' => null];
    private const RULE = ['id' => null, 'name' => null, 'enabled' => null, 'conditions' => ['*' => self::CONDITION], 'actions' => self::ACTIONS];
    private const WINDOW = ['start_hour' => null, 'end_hour' => null, 'active_days' => null];

    /** `null` = a value; `*` = each member of a list. Of sign-in links the names are their ids. */
    private const KNOWN = [
        'polling_config' => [
            'active_days' => null, 'active_start_hour' => null, 'active_end_hour' => null,
            'enable_subject_group_dedup' => null, 'sender_of_interest_for_polling' => null,
            'vacation_start' => null, 'vacation_end' => null, 'enable_polling' => null,
        ],
        'webhook_config' => [
            'webhook_url' => null, 'webhook_ssl_verify' => null, 'webhook_sending_enabled' => null,
            'webhook_time_start' => null, 'webhook_time_end' => null, 'absence_pause_enabled' => null,
            'absence_pause_days' => null, 'global_time_start' => null, 'global_time_end' => null,
            'webhook_delivery_mode' => null, 'ordering' => null, 'webhook_body' => null, 'webhook_enabled' => null,
            'time_window' => self::WINDOW, 'polling_enabled' => null, 'recadrage_webhook_url' => null,
            'autorepondeur_webhook_url' => null, 'webhook_fallback_on_415' => null,
        ],
        'processing_prefs' => [
            'exclude_keywords' => null, 'exclude_keywords_recadrage' => null,
            'exclude_keywords_autorepondeur' => null, 'require_attachments' => null,
            'max_email_size_mb' => null, 'sender_priority' => null, 'retry_count' => null,
            'retry_delay_sec' => null, 'webhook_timeout_sec' => null, 'rate_limit_per_hour' => null,
            'notify_on_failure' => null, 'mirror_media_to_custom' => null, 'sender_authentication' => null,
            'trusted_authserv_ids' => null, 'ignore_automatic' => null, 'ignore_automatic_except' => null,
            'reply_prefixes' => null, 'subject_marks' => null,
        ],
        'runtime_flags' => [
            'disable_email_id_dedup' => null, 'allow_custom_webhook_without_links' => null,
            'gmail_ingress_enabled' => null,
        ],
        'routing_rules' => ['rules' => ['*' => self::RULE]],
        'detectors' => ['detectors' => null],
        'providers' => ['providers' => null],
    ];

    /** Longest name that is compared or repeated, in bytes; more is too much for `levenshtein`. */
    private const LONGEST = 64;

    /**
     * What `$after` has of names that nobody knows and `$before` had nowhere of the kind: a
     * program that writes back what it has read goes on working.
     *
     * @return list<string> each names its field
     */
    public static function problems(string $key, ?\stdClass $before, \stdClass $after): array
    {
        $known = self::KNOWN[$key] ?? null;
        if ($known === null) {
            return [];
        }
        $had = $before === null ? [] : array_column(self::unknown($known, $before, '', ''), 'place');
        $problems = [];
        foreach (self::unknown($known, $after, '', '') as ['place' => $place, 'field' => $field, 'hint' => $hint]) {
            if (!in_array($place, $had, true)) {
                $problems[] = "$field: champ inconnu$hint";
            }
        }
        return $problems;
    }

    /**
     * @param array<string, mixed> $known
     * @return list<array{place: string, field: string, hint: string}>
     */
    private static function unknown(array $known, \stdClass $object, string $place, string $field): array
    {
        $found = [];
        foreach (get_object_vars($object) as $name => $value) {
            // PHP makes numbers of names that look like them.
            $name = (string) $name;
            if (str_starts_with($name, '_')) {
                continue;
            }
            $shown = substr((string) preg_replace('/[\x00-\x1f\x7f]/', '', $name), 0, self::LONGEST);
            if (!array_key_exists($name, $known)) {
                $found[] = ['place' => $place . $name, 'field' => $field . $shown, 'hint' => self::hint($known, $name)];
                continue;
            }
            $inner = $known[$name];
            if (isset($inner['*']) && is_array($value)) {
                foreach ($value as $index => $member) {
                    if ($member instanceof \stdClass) {
                        array_push($found, ...self::unknown($inner['*'], $member, $place . $name . '[].', "$field{$shown}[$index]."));
                    }
                }
            } elseif ($inner !== null && $value instanceof \stdClass) {
                array_push($found, ...self::unknown($inner, $value, "$place$name.", "$field$shown."));
            }
        }
        return $found;
    }

    /** @param array<string, mixed> $known */
    private static function hint(array $known, string $name): string
    {
        foreach (self::KNOWN as $key => $names) {
            if ($names !== $known && array_key_exists($name, $names)) {
                return " : il appartient à $key";
            }
        }
        $nearest = null;
        $least = PHP_INT_MAX;
        foreach (array_keys($known) as $candidate) {
            $distance = levenshtein(strtolower(substr($name, 0, self::LONGEST)), $candidate);
            if ($distance < $least) {
                [$nearest, $least] = [$candidate, $distance];
            }
        }
        return $least <= 1 + intdiv(strlen((string) $nearest), 5) ? " : vouliez-vous dire $nearest ?" : '';
    }
}
