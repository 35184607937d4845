//! An S3 server with R2's rules: a folder of files behind an observer.
//!
//! `s3s-fs` keeps objects and parts; the observer adds what it lacks (the list of
//! unfinished uploads, ETags of parts, `NoSuchUpload`), refuses what R2 refuses and other
//! servers take (parts of different sizes), remembers what was done, and fails on command.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The bucket that is there from the start.
pub const BUCKET: &str = "livraisons";
/// Where the bucket can be read from, as the program is told.
pub const PUBLIC_BASE_URL: &str = "https://media.example.net/r2";
/// `R2_ACCESS_KEY_ID`.
pub const ACCESS_KEY: &str = "key-of-the-tests";
/// `R2_SECRET_ACCESS_KEY`.
pub const SECRET_KEY: &str = "secret-of-the-tests";
/// What R2 demands of every part but the last (bytes).
const MIN_PART: u64 = 5 * 1024 * 1024;

/// How the server behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Parts from this number on are answered with 403.
    pub refuse_parts_from: Option<i32>,
    /// Parts from this number on are not answered.
    pub hold_parts_from: Option<i32>,
    /// Parts, and objects of more than 1 MiB, are counted and thrown away.
    pub discard: bool,
    /// Connections are closed as soon as they are made.
    pub down: bool,
}

#[derive(Debug, Clone)]
struct Upload {
    key: String,
    begun: Timestamp,
    /// By number: size and ETag.
    parts: BTreeMap<i32, (u64, ETag)>,
}

#[derive(Debug, Default)]
struct Shared {
    behaviour: Behaviour,
    /// By id.
    uploads: BTreeMap<String, Upload>,
    /// Sizes of the parts of each completed upload.
    completed: Vec<Vec<u64>>,
    /// Operations and keys, without the listings.
    done: Vec<String>,
    /// Numbers of parts that are not answered.
    held: Vec<i32>,
    parts_now: usize,
    parts_at_once: usize,
}

/// The server. Dropping it closes it and removes everything.
#[derive(Debug)]
pub struct S3Server {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    server: JoinHandle<()>,
    folder: TempDir,
}

impl S3Server {
    /// Starts one with an empty bucket, on a free loopback port.
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("rs-s3-").tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let shared = Arc::new(Mutex::new(Shared::default()));
        let files = FileSystem::new(folder.path()).expect("a folder that exists");
        let mut service = S3ServiceBuilder::new(Observer { files, shared: Arc::clone(&shared) });
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let port = listener.local_addr().expect("the address of a bound listener").port();
        let observed = Arc::clone(&shared);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if observed.lock().unwrap().behaviour.down {
                    continue;
                }
                let service = service.clone();
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { port, shared, server, folder }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The variables that make the program use this bucket.
    pub fn environment(&self) -> [(String, String); 6] {
        [
            ("R2_ACCOUNT_ID", "account-of-the-tests".to_owned()),
            ("R2_ENDPOINT_URL", self.url()),
            ("R2_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("R2_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("R2_BUCKET_NAME", BUCKET.to_owned()),
            ("R2_PUBLIC_BASE_URL", PUBLIC_BASE_URL.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// From now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.lock().unwrap().behaviour = behaviour;
    }

    /// Keys of unfinished uploads.
    pub fn unfinished(&self) -> Vec<String> {
        self.shared.lock().unwrap().uploads.values().map(|upload| upload.key.clone()).collect()
    }

    /// Parts that lie there unfinished.
    pub fn unfinished_parts(&self) -> usize {
        self.shared.lock().unwrap().uploads.values().map(|upload| upload.parts.len()).sum()
    }

    /// How many parts of this number have come and are never answered.
    pub fn held(&self, number: i32) -> usize {
        self.shared.lock().unwrap().held.iter().filter(|held| **held == number).count()
    }

    /// Sizes of the parts of each completed upload.
    pub fn completed(&self) -> Vec<Vec<u64>> {
        self.shared.lock().unwrap().completed.clone()
    }

    /// What was done, such as `PutObject <key>`.
    pub fn done(&self) -> Vec<String> {
        self.shared.lock().unwrap().done.clone()
    }

    /// Most parts that were under way at the same time.
    pub fn parts_at_once(&self) -> usize {
        self.shared.lock().unwrap().parts_at_once
    }

    /// Its buckets.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The bytes of an object.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.path().join(BUCKET).join(key)).ok()
    }

    /// Keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        let root = self.folder.path().join(BUCKET);
        let mut folders: Vec<PathBuf> = vec![root.clone()];
        let mut keys = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    keys.push(path.strip_prefix(&root).expect("below it").display().to_string());
                }
            }
        }
        keys.sort();
        keys
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Observer {
    files: FileSystem,
    shared: Arc<Mutex<Shared>>,
}

impl Observer {
    fn note(&self, operation: &str, key: &str) {
        self.shared.lock().unwrap().done.push(format!("{operation} {key}"));
    }

    fn upload(&self, id: &str) -> S3Result<Upload> {
        self.shared.lock().unwrap().uploads.get(id).cloned().ok_or_else(|| s3_error!(NoSuchUpload))
    }

    async fn part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let (number, id) = (req.input.part_number, req.input.upload_id.clone());
        self.upload(&id)?;
        let behaviour = self.shared.lock().unwrap().behaviour;
        if behaviour.hold_parts_from.is_some_and(|from| number >= from) {
            self.shared.lock().unwrap().held.push(number);
            std::future::pending::<()>().await;
        }
        if behaviour.refuse_parts_from.is_some_and(|from| number >= from) {
            return Err(s3_error!(AccessDenied));
        }
        let size = u64::try_from(req.input.content_length.expect("a length")).expect("a size");
        let (response, etag) = if behaviour.discard {
            let received = count(req.input.body).await?;
            assert_eq!(received, size, "the length of part {number}");
            let etag = ETag::Strong(format!("part-{number}"));
            let output = UploadPartOutput { e_tag: Some(etag.clone()), ..UploadPartOutput::default() };
            (S3Response::new(output), etag)
        } else {
            let response = self.files.upload_part(req).await?;
            let etag = response.output.e_tag.clone().expect("an ETag");
            (response, etag)
        };
        if let Some(upload) = self.shared.lock().unwrap().uploads.get_mut(&id) {
            upload.parts.insert(number, (size, etag));
        }
        Ok(response)
    }
}

/// Reads a body to its end, and returns its length in bytes.
async fn count(body: Option<StreamingBlob>) -> S3Result<u64> {
    let mut body = body.expect("a body");
    let mut received = 0;
    while let Some(chunk) = body.next().await {
        received += chunk.map_err(|_| s3_error!(IncompleteBody))?.len() as u64;
    }
    Ok(received)
}

#[async_trait::async_trait]
impl S3 for Observer {
    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(req).await
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.files.head_object(req).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.files.get_object(req).await
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.files.list_objects_v2(req).await
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.note("PutObject", &req.input.key);
        let discard = self.shared.lock().unwrap().behaviour.discard;
        if discard && req.input.content_length.is_some_and(|length| length > 1024 * 1024) {
            count(req.input.body).await?;
            return Ok(S3Response::new(PutObjectOutput::default()));
        }
        self.files.put_object(req).await
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.note("DeleteObject", &req.input.key);
        self.files.delete_object(req).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let key = req.input.key.clone();
        self.note("CreateMultipartUpload", &key);
        let response = self.files.create_multipart_upload(req).await?;
        let id = response.output.upload_id.clone().expect("an id");
        #[expect(clippy::disallowed_methods, reason = "a server outside of the program")]
        let begun = std::time::SystemTime::now().into();
        let upload = Upload { key, begun, parts: BTreeMap::new() };
        self.shared.lock().unwrap().uploads.insert(id, upload);
        Ok(response)
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        {
            let mut shared = self.shared.lock().unwrap();
            shared.parts_now += 1;
            shared.parts_at_once = shared.parts_at_once.max(shared.parts_now);
        }
        let done = self.part(req).await;
        self.shared.lock().unwrap().parts_now -= 1;
        done
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let upload = self.upload(&req.input.upload_id)?;
        // Two to a page, so that the next page is asked for.
        let after: i32 = req.input.part_number_marker.unwrap_or(0);
        let mut left = upload.parts.into_iter().filter(|(number, _)| *number > after).peekable();
        let parts: Vec<Part> = left
            .by_ref()
            .take(2)
            .map(|(number, (size, etag))| Part {
                part_number: Some(number),
                size: Some(i64::try_from(size).expect("a size")),
                e_tag: Some(etag),
                ..Part::default()
            })
            .collect();
        let last = parts.last().and_then(|part| part.part_number).unwrap_or(after);
        Ok(S3Response::new(ListPartsOutput {
            is_truncated: Some(left.peek().is_some()),
            next_part_number_marker: Some(last),
            parts: Some(parts),
            ..ListPartsOutput::default()
        }))
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let prefix = req.input.prefix.unwrap_or_default();
        let shared = self.shared.lock().unwrap();
        let uploads = shared.uploads.iter().filter(|(_, upload)| upload.key.starts_with(&prefix));
        let uploads = uploads.map(|(id, upload)| MultipartUpload {
            key: Some(upload.key.clone()),
            upload_id: Some(id.clone()),
            initiated: Some(upload.begun.clone()),
            ..MultipartUpload::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            is_truncated: Some(false),
            uploads: Some(uploads.collect()),
            ..ListMultipartUploadsOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let (id, key) = (req.input.upload_id.clone(), req.input.key.clone());
        let upload = self.upload(&id)?;
        let listed =
            req.input.multipart_upload.as_ref().and_then(|all| all.parts.clone()).unwrap_or_default();
        let mut sizes = Vec::new();
        for part in &listed {
            let number = part.part_number.expect("a number");
            let (size, etag) = upload.parts.get(&number).ok_or_else(|| s3_error!(InvalidPart))?;
            if part.e_tag.as_ref() != Some(etag) {
                return Err(s3_error!(InvalidPart));
            }
            sizes.push(*size);
        }
        if let Some((last, others)) = sizes.split_last() {
            let first = others.first().unwrap_or(last);
            if others.iter().any(|size| size != first || *size < MIN_PART) || last > first {
                return Err(s3_error!(InvalidPart, "All non-trailing parts must have the same length."));
            }
        }
        let discard = self.shared.lock().unwrap().behaviour.discard;
        let response = if discard {
            S3Response::new(CompleteMultipartUploadOutput::default())
        } else {
            self.files.complete_multipart_upload(req).await?
        };
        self.note("CompleteMultipartUpload", &key);
        let mut shared = self.shared.lock().unwrap();
        shared.uploads.remove(&id);
        shared.completed.push(sizes);
        Ok(response)
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.upload(&req.input.upload_id)?;
        self.note("AbortMultipartUpload", &req.input.key);
        self.shared.lock().unwrap().uploads.remove(&req.input.upload_id);
        self.files.abort_multipart_upload(req).await
    }
}
