<?php

/**
 * Settings of the receiver (public_html/index.php) and of its pages. Keep this file outside the
 * web root. Each value is looked up in the environment first, then in the array that
 * data/env.local.php returns, then here; secrets belong into one of the first two.
 *
 * En français : chaque valeur est cherchée dans l'environnement, puis dans data/env.local.php,
 * puis ici. Les secrets vont dans l'un des deux premiers, jamais dans ce fichier.
 */

declare(strict_types=1);

return [
    // The same as WEBHOOK_SECRET of render-signal; two while it is replaced, with a blank between.
    // 'WEBHOOK_SECRET' => 'whsec_…',

    // Whose mails are acted upon. '*' = everybody whom render-signal lets through.
    // 'AUTHORIZED_SENDERS' => ['camille@agence.example'],

    // Where the two automatic mails go, and what stands below them.
    // 'AUTOREPONDEUR_TO' => 'planning@agence.example',
    // 'RECADRAGE_TO' => 'studio@agence.example',
    // 'MAIL_SIGNATURE' => 'Camille',

    // Opens test.php, test-direct.php and status.php; 24 characters at least.
    // 'DIAGNOSTICS_TOKEN' => '…',

    // {subject}, {start}, {end}, {delivery_time} and {signature} stand for what the webhook and
    // these settings say. A part in […] is left out when something that it names is empty.
    'TEXTS' => [
        'unsubscribe' => [
            // Spelt as the reference system spells it: recipients may sort their mail by it.
            'subject' => 'Acception : {subject}',
            'text' => "Bonjour,\n\nNous prenons ce lot en charge, disponibles à partir de {start}[ et jusqu'à {end}].\n\nBien cordialement,[\n{signature}]",
        ],
        'unsubscribe_urgent' => [
            'subject' => 'Acceptation lot urgent : {subject}',
            'text' => "Bonjour,\n\nNous commençons ce lot urgent tout de suite.\n\nBien cordialement,[\n{signature}]",
        ],
        'resize' => [
            'subject' => 'Confirmation : {subject}',
            'text' => "Bonjour,\n\nLes fichiers sont bien arrivés, le recadrage est en cours[ et sera livré pour {delivery_time}].\n\nBien cordialement,[\n{signature}]",
        ],
    ],
];
